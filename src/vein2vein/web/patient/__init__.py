"""One patient: what the page shows, its form, and what the warm process computes for it."""
