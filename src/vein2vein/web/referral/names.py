"""Names of a referral that stand before anything of it is loaded."""

from __future__ import annotations

from typing import Literal

from vein2vein.web.words import said

KIND = "referral"
TITLE = said("A referral")
Wanted = Literal["referral.html", "referral.pdf", "referral.fhir.json", "referral.zip"]
"""Files that the door gives."""
