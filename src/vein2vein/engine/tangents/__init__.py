"""Derivatives along with the solution."""
