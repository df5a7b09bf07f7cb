"""Statistics that know no patient: survival, intervals, resampling."""
