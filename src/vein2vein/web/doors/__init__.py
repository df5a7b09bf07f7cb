"""The doors of the app, one module each, named in ``declared.py``."""
