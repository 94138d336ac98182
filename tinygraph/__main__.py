"""`python -m tinygraph`, the same as `tinygraph`."""

from .cli import main

main()
