"""Trials: who was enrolled, what was done, what was published, and both side by side."""
