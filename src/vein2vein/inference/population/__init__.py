"""Population fits: typical values, spread between patients and errors of measurement from the data of many at once."""
