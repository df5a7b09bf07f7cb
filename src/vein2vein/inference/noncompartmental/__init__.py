"""Cellular kinetics of measured curves without a model: per patient, by group, and as percentiles."""
