"""Virtual patients, trials, survival and the comparison with published figures."""
