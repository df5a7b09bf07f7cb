"""A referral: from the intake to the papers for a treatment center."""

from vein2vein.web.doors.referral.pages import DOOR

__all__ = ["DOOR"]
