"""Placeholder."""


def read_fit_file(path):
    raise NotImplementedError
