"""Episodes of cytokine release syndrome: which cells belong to one that began with fever, and where fever is waived.

A cell that was not looked at neither begins nor ends one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vein2vein.clinic.criteria import Edition
from vein2vein.clinic.grades.grades import Columns, Flags
from vein2vein.clinic.grades.infusions import day_zero
from vein2vein.clinic.grades.signs import CIRCULATION, NEVER, OXYGEN, Signs

NO_RECURRENCE: tuple[Flags, Mapping[str, Flags]] = NEVER, {}


@dataclass(frozen=True)
class Episodes:
    """Which cells belong to an episode; arrays (n, k).

    Attributes
    ----------
    established, perhaps : ndarray of bool
        In an episode that goes on without anything unknown; in one that could go on.
    waived, perhaps_waived : ndarray of bool
        The same, after something that takes fever away was given since onset.
    sick, quiet : ndarray of bool
        Some sign is there; every sign is known to be absent.
    onset, given : ndarray of int
        Column of the first fever of the episode and of the last therapy that waives fever; -1: none.
    unsure : mapping of analyte to ndarray of bool
        What was unknown at the last cell, up to each one, that may have been quiet.
    recurrent : ndarray of bool
        An episode that is known to come after an earlier one; (1, 1) where no level of the scale asks for it.
    perhaps_recurrent : mapping of analyte to ndarray of bool
        An episode that would come after an earlier one, had this been charted as absent between the two.
    """

    established: Flags
    perhaps: Flags
    waived: Flags
    perhaps_waived: Flags
    sick: Flags
    quiet: Flags
    onset: Columns
    given: Columns
    unsure: Mapping[str, Flags]
    recurrent: Flags
    perhaps_recurrent: Mapping[str, Flags]


@dataclass(frozen=True)
class _Course:
    """What the search for episodes reads of every cell: signs, fever that may begin one, and the last long silence."""

    signs: Signs
    gap: float
    sick: Flags
    fever: Flags
    lapsed: Columns


def episodes(signs: Signs, rules: Edition) -> Episodes:
    """Which cells belong to an episode that began with fever, and where its fever is waived.

    What is unknown may have been quiet, or not: an episode is ``established`` only if it goes on without the unknown,
    ``perhaps`` if it could. The limits are those of criteria/bedside_signs.toml.

    Notes
    -----
    Onset: fever comes first in every scale (ASTCT 2019: the syndrome "must include fever at the onset"), so low
    pressure or oxygen alone starts nothing. Only a fever between ``earliest_onset`` and ``latest_onset`` starts one:
    the syndrome needs the infused cells, and the consensus asks for a reasonable temporal link to them without naming
    a day (the limits are our choice).

    Lapse: an episode is not carried over a silence of more than ``episode_lapse`` (3) days, our choice. A ward charts
    these signs daily while the syndrome lasts; after a longer silence nothing shows that it went on.

    History: ASTCT 2019 says that after an antipyretic or an anti-cytokine therapy "fever is no longer required to
    grade subsequent CRS severity": such a therapy within the episode waives it, one before onset does not, for it says
    nothing of a syndrome that had not begun. Lee 2014, Penn and the others ask for fever at onset only.
    """
    v, past, circulation, breathing = rules.values, signs.past, signs.circulation, signs.breathing
    sick = signs.fever | circulation.hypotension | breathing.oxygen
    doubts = {
        "temperature": signs.no_temperature,
        "systolic_bp": circulation.no_pressure | circulation.maybe_pressor | circulation.maybe_bolus,
        "oxygen_device": breathing.uncharted | breathing.maybe_oxygen | breathing.maybe_assisted,
    }
    unsure = np.logical_or.reduce(list(doubts.values())) & ~sick
    quiet = ~sick & ~unsure
    days, known = signs.course.days, past.course.days
    looked = ~(signs.no_temperature & circulation.uncharted & breathing.uncharted)
    if past.looked is not None:
        sick, unsure, quiet, looked = (cells & past.looked for cells in (sick, unsure, quiet, looked))
    seen = past.before("looked", looked)
    long_ago = (seen >= 0) & (days[None, :] - known[np.maximum(seen, 0)] > v["episode_lapse"]) if days.size else sick
    lapsed = past.latest("lapsed", long_ago)
    since = days[None, :] - past.now(day_zero(past.course))
    within = (since >= v["earliest_onset"]) & (since <= v["latest_onset"])
    fever = signs.fever & within
    # A drug of the day itself is given after the grading of that day: only earlier columns waive its fever.
    waives = rules.lists["waives_fever"]
    given, recurs = past.given(waives), any(level.when == "recurrent" for level in rules.levels)
    maybe_given = past.given(waives, perhaps=True) if any(name in past.course.unread for name in waives) else given
    search = _Course(signs, v["episode_gap"], sick, fever, lapsed)
    # "perhaps" ends where everything is known to be quiet; "surely" already where nothing shows that it goes on.
    maybe = search
    if past.looked is not None:  # a temperature that is not known may have been the fever that begins one
        hidden = signs.no_temperature & past.looked & within
        maybe = replace(search, fever=fever | hidden, sick=sick | hidden)
    perhaps, first = _episode(maybe, quiet, "perhaps")
    surely, onset = _episode(search, ~sick if past.looked is None else ~sick & past.looked, "surely")
    recurrent, perhaps_recurrent = _recurrences(search, quiet, doubts) if recurs else NO_RECURRENCE
    return Episodes(
        established=surely,
        perhaps=perhaps,
        waived=surely & (given >= onset),
        perhaps_waived=perhaps & (maybe_given >= first),
        sick=sick,
        quiet=quiet,
        onset=np.where(surely, onset, -1),
        given=given,
        unsure={name: past.carry(f"no {name}", unsure, cells.astype(np.int8), 0) > 0 for name, cells in doubts.items()},
        recurrent=recurrent,
        perhaps_recurrent=perhaps_recurrent,
    )


def _recurrences(search: _Course, quiet: Flags, doubts: Mapping[str, Flags]) -> tuple[Flags, Mapping[str, Flags]]:
    """Cells of an episode after an earlier one: known, and, by what would have to be charted as absent, possible.

    A scale that grades a recurrence higher asks for proof that the first episode was over: a support that was charted
    before and is merely not charted now may have run on.
    """
    past, course = search.signs.past, search.signs.course
    perhaps, lacking = quiet | np.logical_or.reduce(list(doubts.values())) & ~search.sick, dict(doubts)
    for name in (*CIRCULATION, *OXYGEN):
        if name in course:
            now = np.isfinite(course.values[name])
            lost = ~now & (past.latest(f"charted {name}", now) >= 0)
            quiet, lacking[name] = quiet & ~lost, lacking.get(name, NEVER) | lost
    known = _recurrent(search, quiet, "recurrent")
    possible = _recurrent(search, perhaps, "perhaps recurrent") & ~known
    unproven = perhaps & ~quiet
    return known, {
        name: possible & (past.carry(f"unproven {name}", unproven, (cells & unproven).astype(np.int8), 0) > 0)
        for name, cells in lacking.items()
    }


def _recurrent(search: _Course, quiet: Flags, how: str) -> Flags:
    within, first = _episode(search, quiet, how)
    onset = np.where(within, first, np.iinfo(np.int32).max)
    return within & (onset > search.signs.past.lowest(f"{how} onset", onset))


def _episode(search: _Course, quiet: Flags, how: str) -> tuple[Flags, Columns]:
    """Cells of an episode that began with fever, and the column of this fever.

    The steps, for every cell at once:

    1. ``resolved``: the latest quiet cell that followed a sick one: all of fever, hypotension and hypoxia had gone.
    2. ``start``: the latest sick cell with nothing sick before it, or after a rest since ``resolved`` of at least
       ``episode_gap`` (24 h), or after a long silence. A return within 24 h joins the episode: signs that wax and
       wane within a nursing day are one syndrome, and its first fever still counts for it. No consensus names the
       hours; 24 are our choice.
    3. ``first``: the first fever at or after ``start``. The cell is in an episode once that fever has been, and no
       long silence lies after ``start``.
    """
    signs, sick, fever, lapsed = search.signs, search.sick, search.fever, search.lapsed
    past, days, known = signs.past, signs.course.days, signs.past.course.days
    sick_before, quiet_before = past.before(f"{how} sick", sick), past.before(f"{how} quiet", quiet)
    resolved = past.before(f"{how} resolved", quiet & (sick_before > quiet_before))
    rest = days[None, :] - np.where(resolved >= 0, known[np.maximum(resolved, 0)], np.inf) if days.size else resolved
    anew = (quiet_before > sick_before) & (rest >= search.gap)
    start = past.latest(f"{how} start", sick & ((sick_before < 0) | anew | (lapsed > sick_before)))
    first = past.latest(f"{how} first", fever & (past.before(f"{how} fever", fever) < start))
    return (first >= start) & (start >= 0) & (lapsed <= start), first
