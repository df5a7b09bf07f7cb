"""The mathematics of a run: models in, states over time out."""
