"""The same methods on a GPU."""
