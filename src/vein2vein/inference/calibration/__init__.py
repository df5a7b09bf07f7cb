"""Calibration: the numbers of cards moved to the published rows of trials, with what is left unknown of them."""
