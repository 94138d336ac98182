"""Running graphs: the reference interpreter and the array protocol under it."""

from .interpreter import evaluate

__all__ = ["evaluate"]
