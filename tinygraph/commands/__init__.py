"""The commands of the command line, a family a file; each file has a typer app of its own."""
