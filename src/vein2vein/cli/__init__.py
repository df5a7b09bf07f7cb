"""The command line: trial, simulate, and the catalogs."""
