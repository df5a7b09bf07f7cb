"""Grades of toxicity from signs, supports and laboratory values."""
