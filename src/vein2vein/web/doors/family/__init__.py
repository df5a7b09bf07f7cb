"""A family: one patient's path in plain words."""

from vein2vein.web.doors.family.pages import DOOR

__all__ = ["DOOR"]
