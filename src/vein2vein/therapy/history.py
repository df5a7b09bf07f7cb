"""What a patient's card tells of the disease so far: the facts that labels and trials ask about; nothing is assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from vein2vein.declared import Record, flag, number

LONGEST = 100 * 365.25  # days of a long life
ONLY_OF: Mapping[str, tuple[str, ...]] = {
    "primary_refractory": ("leukemia",),
    "refractory_relapse": ("leukemia",),
    "refractory": ("lymphoma", "myeloma"),
    "not_for_transplantation": ("lymphoma",),
    "large_b_cell": ("lymphoma",),
}
"""Facts that are told of these kinds of disease alone, as their meaning says: nobody else is asked for them."""


@dataclass(frozen=True, kw_only=True)
class History(Record):
    """Facts that labels ask about; None: not told, hence unknown."""

    relapses: Annotated[int, number("Relapses so far, of any site", low=0, high=LONGEST)] | None = None
    primary_refractory: (
        Annotated[bool, flag("Leukemia: no remission after the first induction (two cycles)")] | None
    ) = None
    refractory_relapse: Annotated[bool, flag("Leukemia: no remission after treatment of the last relapse")] | None = (
        None
    )
    relapse_after_transplant: Annotated[bool, flag("Relapse after an allogeneic transplantation")] | None = None
    months_from_transplant: (
        Annotated[float, number("Months from the transplantation to the infusion", "month", 0, LONGEST)] | None
    ) = None
    refractory: Annotated[bool, flag("Lymphoma, myeloma: refractory to the first line of therapy")] | None = None
    days_to_relapse: (
        Annotated[float, number("Days from the end of the first line to the relapse", "day", 0, LONGEST)] | None
    ) = None
    not_for_transplantation: (
        Annotated[bool, flag("Lymphoma: not eligible for transplantation, for age or other diseases")] | None
    ) = None
    large_b_cell: Annotated[bool, flag("Pathology: a large B-cell lymphoma")] | None = None
    btk_inhibitor: Annotated[bool, flag("Had an inhibitor of Bruton's tyrosine kinase")] | None = None
    bcl2_inhibitor: Annotated[bool, flag("Had a BCL-2 inhibitor")] | None = None
    immunomodulator: Annotated[bool, flag("Had an immunomodulator, such as lenalidomide")] | None = None
    proteasome_inhibitor: Annotated[bool, flag("Had a proteasome inhibitor, such as bortezomib")] | None = None
    anti_cd38: Annotated[bool, flag("Had an antibody against CD38, such as daratumumab")] | None = None
    lenalidomide_refractory: Annotated[bool, flag("Refractory to lenalidomide")] | None = None
