"""Episodes as files: a table of them, and cytokine release and neurotoxicity as adverse events of SDTM."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from vein2vein.cards import parse_card
from vein2vein.clinic.criteria import edition, editions
from vein2vein.errors import InputError
from vein2vein.io.record.write import write_rows
from vein2vein.ward.episodes import FATAL, RESOLVED, Episode
from vein2vein.ward.states import day_text, moment_text

COLUMNS = (
    "patient", "id", "finding", "episode", "edition", "onset_day", "onset", "onset_at_latest", "peak", "peak_at_least",
    "peak_day", "last_sign_day", "last_sign", "resolved_day", "resolved", "outcome", "days", "hours",
    "tocilizumab_hours", "tocilizumab_doses", "tocilizumab_before", "tocilizumab_unread", "steroid_hours",
    "steroid_doses", "steroid_before", "steroid_unread",
)  # fmt: skip
LONGEST_STUDY, LONGEST = 40, 200  # characters of a study; of a value of SDTM
SUPPLEMENT = ("STUDYID", "RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "QNAM", "QLABEL", "QVAL", "QORIG", "QEVAL")
DIGITS = 2


class Charted(NamedTuple):
    """The episodes of one patient, with what dates them."""

    patient: int
    label: str
    infused: date | None
    today: float
    episodes: tuple[Episode, ...]


class Structure(NamedTuple):
    """What sdtm_ae.toml holds: variables in their order, and the words of each value."""

    variables: tuple[str, ...]
    required: tuple[str, ...]
    study: str
    category: str
    undated: str
    events: dict[str, dict[str, str]]
    outcome: dict[str, str]
    at_reading: dict[str, str]
    supplement: dict[str, str]


@cache
def structure() -> Structure:
    """Read the structure of the domain."""
    path = Path(__file__).with_name("sdtm_ae.toml")
    data = cast("dict[str, Any]", parse_card(path.read_text(encoding="utf-8"), path.name).data)
    variables = tuple(str(one["name"]) for one in data["variable"])
    required = tuple(str(one["name"]) for one in data["variable"] if one["core"] == "Req")
    return Structure(
        variables, required, data["study"], data["category"], data["undated"], data["event"], data["outcome"],
        data["at_reading"], data["supplement"],
    )  # fmt: skip


def write_episodes(people: Iterable[Charted], path: str | Path) -> Path:
    """Write every episode of some patients as CSV: onset, peak, end, length, time to tocilizumab and to a steroid."""
    return write_rows(path, COLUMNS, [row for one in people for row in episode_rows(one)])


def episode_rows(one: Charted) -> list[tuple[object, ...]]:
    """Rows of ``COLUMNS`` for one patient; days to two decimals, moments where dates are known."""
    out: list[tuple[object, ...]] = []
    for e in one.episodes:
        when, last, over = (moment_text(day, one.infused) for day in (e.onset, e.last_sign, e.resolved))
        drugs = [(_number(g.hours), g.doses, int(g.before), int(g.unread)) for g in (e.tocilizumab, e.steroid)]
        out.append(
            (
                one.patient, plain_words(one.label), e.finding, e.number, e.edition, day_text(e.onset), when,
                int(e.onset_at_latest), e.peak, int(e.peak_at_least), day_text(e.peak_day), day_text(e.last_sign),
                last, _number(e.resolved), over, e.outcome, e.days, _number(e.hours), *drugs[0], *drugs[1],
            )
        )  # fmt: skip
    return out


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")


def write_adverse_events(people: Iterable[Charted], path: str | Path, study: str = "") -> tuple[Path, Path]:
    """Write cytokine release and neurotoxicity as records of the domain AE, and beside them those of SUPPAE.

    One episode is one record at its highest grade; another episode is another record. What the record does not say
    (seriousness, relation, action) stays blank.

    Parameters
    ----------
    people : iterable of Charted
    path : path
        CSV of AE; that of SUPPAE has ``-supp`` behind its name.
    study : str
        The study's name; without one, ``UNKNOWN``.

    Returns
    -------
    tuple of (path, path)
    """
    path = Path(path)
    check_study(study)
    records: list[tuple[object, ...]] = []
    more: list[tuple[object, ...]] = []
    for one in people:
        found, besides = adverse_events(one, study)
        records += [tuple(record[name] for name in structure().variables) for record in found]
        more += besides
    supp = supplement_path(path)
    return write_rows(path, structure().variables, records), write_rows(supp, SUPPLEMENT, more)


def supplement_path(path: Path) -> Path:
    """Where the supplementary records of a file go.

    Raises
    ------
    InputError
        The path names no file.
    """
    if not path.name:
        raise InputError(f"'{path}' is a folder; give the name of a file, such as '{path / 'ae.csv'}'.")
    return path.with_name(f"{path.stem}-supp{path.suffix}")


def adverse_events(one: Charted, study: str = "") -> tuple[list[dict[str, object]], list[tuple[object, ...]]]:
    """Records of AE (by variable) and rows of SUPPAE of one patient."""
    rules = structure()
    study = check_study(study) or rules.study
    subject = subject_of(one, study)
    records: list[dict[str, object]] = []
    more: list[tuple[object, ...]] = []
    for episode in one.episodes:
        kind = episode.finding.partition("_")[0]
        if kind not in rules.events:
            continue
        sequence = len(records) + 1
        records.append(_record(one, episode, kind, sequence, study, subject))
        besides = [(name, value) for name, value in _supplement(episode).items() if value != ""]
        more += [
            (study, "AE", subject, "AESEQ", sequence, name, rules.supplement[name], value, "Derived", "")
            for name, value in besides
        ]
    return records, more


def subject_of(one: Charted, study: str) -> str:
    """USUBJID: the study and the patient's own id; an id that is too long for a value gives way to the number."""
    own = plain_words(one.label)
    subject = f"{study}-{own}" if own else f"{study}-{one.patient}"
    return subject if len(subject) <= LONGEST else f"{study}-NUMBER-{one.patient}"


def plain_words(text: str) -> str:
    """A text without signs that nobody sees, which no table shall hold."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def check_study(name: str) -> str:
    """The name of a study as a table may hold it.

    Raises
    ------
    InputError
        It holds a sign of control, or is too long.
    """
    if not name.isprintable() or len(name) > LONGEST_STUDY or name != name.strip():
        raise InputError(
            f"found the study {name[:LONGEST_STUDY]!r}, expected at most {LONGEST_STUDY} printable characters; "
            "give its short name."
        )
    return name


def _record(one: Charted, e: Episode, kind: str, sequence: int, study: str, subject: str) -> dict[str, object]:
    rules = structure()
    event, ended = rules.events[kind], e.outcome in (RESOLVED, FATAL)
    treated = bool(e.tocilizumab.doses or e.steroid.doses)
    filled: dict[str, object] = {
        "STUDYID": study,
        "DOMAIN": "AE",
        "USUBJID": subject,
        "AESEQ": sequence,
        "AESPID": f"{kind.upper()}-{e.number}",
        "AETERM": event["term"],
        "AEDECOD": event["term"],
        "AECAT": rules.category,
        "AESCAT": scale_words(e.edition),
        "AEBODSYS": event["system"],
        "AESOC": event["system"],
        "AESER": "Y" if e.outcome == FATAL else "",
        "AEOUT": rules.outcome[e.outcome],
        "AESDTH": "Y" if e.outcome == FATAL else "",
        "AECONTRT": "Y" if treated else "",
        "AETOXGR": "" if e.peak_at_least else e.peak,
        "AESTDTC": _iso(e.onset, one.infused),
        "AEENDTC": _iso(e.last_sign, one.infused) if ended else "",
        "AESTDY": study_day(e.first_date),
        "AEENDY": study_day(e.last_date) if ended else "",
        "AEENRTPT": rules.at_reading.get(e.outcome, ""),
        "AEENTPT": "" if ended else _iso(one.today, one.infused) or rules.undated,
    }
    return {name: filled.get(name, "") for name in rules.variables}


def _supplement(e: Episode) -> dict[str, object]:
    return {
        "WARDDAY": day_text(e.onset),
        "PEAKDAY": day_text(e.peak_day),
        "ATLEAST": e.peak if e.peak_at_least else "",
        "ONSETLTE": "Y" if e.onset_at_latest else "",
        "DURDAYS": e.days,
        "DURHOURS": _number(e.hours),
        "TOCIHRS": _number(e.tocilizumab.hours),
        "TOCIDOSE": e.tocilizumab.doses or "",
        "STERHRS": _number(e.steroid.hours),
        "STERDOSE": e.steroid.doses or "",
    }


def study_day(number: int) -> int:
    """Day of a study: the date of the infusion is 1, its eve -1, and there is no 0."""
    return number + 1 if number >= 0 else number


def scale_words(name: str) -> str:
    """The edition of a scale as a record names it: title and date."""
    known = name.partition(":")[0]
    if known not in editions():
        return name
    found = edition(known)
    return f"{found.title} ({found.date})"


def _iso(day: float, infused: date | None) -> str:
    return moment_text(day, infused).replace(" ", "T")


def has_dates(people: Sequence[Charted]) -> bool:
    """Whether the dates of all of them are known."""
    return all(one.infused is not None for one in people)
