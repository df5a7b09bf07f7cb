"""The family's page, in plain words."""
