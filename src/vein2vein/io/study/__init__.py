"""A study's own data: one reader that decides what each column of a population data set means."""
