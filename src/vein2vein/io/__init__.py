"""Doors to other formats."""
