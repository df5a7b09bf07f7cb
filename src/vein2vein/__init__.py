"""vein2vein follows a CAR T-cell treatment from the patient's blood and back."""

__version__ = "0.1.0"
