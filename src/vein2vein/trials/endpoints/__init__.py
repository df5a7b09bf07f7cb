"""Endpoints: what a trial reads off its patients."""
