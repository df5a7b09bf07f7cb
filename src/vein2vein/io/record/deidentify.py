"""De-identified records: days for dates, numbers for names, no free text. Nothing leaves the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vein2vein.clinic.grades.monitoring import Override
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import Facts, Record
from vein2vein.io.record.write import write_record
from vein2vein.therapy.disease import all_diseases
from vein2vein.therapy.product import all_products

OLDEST_SHOWN = 89  # years; above, a person may be known by the age alone: shown as 90
NAME = "record"
ANOTHER = "another cause"
UNUSED = "could not be used"
DOUBT = "it could not be told whose some of the rows are, or what day 0 of a patient is: read the record itself"


def deidentify(record: Record) -> Record:
    """The same record without identifiers.

    Names, record numbers, addresses, dates, comments, causes and reasons in free text, the name of the file, and what
    was set aside (it repeats texts of the file) are gone; patients and clinicians are numbered; ages above 89 years
    are 90; diseases and products are kept only where they are known cards.
    """
    count = len(record.courses)
    courses = tuple(
        replace(
            one,
            patients=np.array([i], dtype=np.int64),
            where_from={name: _places(source) for name, source in one.where_from.items()},
        )
        for i, one in enumerate(record.courses)
    )
    position = {int(one.patients[0]): i for i, one in enumerate(record.courses)}
    authors: dict[str, str] = {}
    for o in (*record.attributions, *record.overrides):
        authors.setdefault(o.author, f"clinician {len(authors) + 1}")
    judged = [
        tuple(_judged(o, position[o.patient], authors[o.author]) for o in kind)
        for kind in (record.overrides, record.attributions)
    ]
    facts = record.facts
    old = facts.age > OLDEST_SHOWN
    notes = (
        "names, dates, free text and what was set aside were left out; days are counted from the infusion",
        *(("ages above 89 years are shown as 90",) if old.any() else ()),
    )
    return Record(
        NAME,
        record.kind,
        courses,
        Facts(
            tuple(str(i) for i in range(count)),
            np.where(old, OLDEST_SHOWN + 1, facts.age),
            facts.weight,
            facts.height,
            facts.sex,
            tuple(d if d in all_diseases() else "" for d in facts.disease),
            tuple(p if p in all_products() else "" for p in facts.product),
            (False,) * count,
            told_weights=facts.told_weights,
        ),
        judged[0],
        judged[1],
        (),
        notes,
        record.read,
        record.infusions,
        tuple(
            one._replace(file=f"file {i}" if len(record.tallies) > 1 else NAME, problem=UNUSED if one.problem else "")
            for i, one in enumerate(record.tallies, start=1)
        ),
        tuple((f"left out {i + 1}", why) for i, (_, why) in enumerate(record.ungraded)),
        (DOUBT,) if record.warnings else (),
    )


def _places(source: np.ndarray) -> np.ndarray:
    """Lines of the file without its name."""
    found = np.full(source.shape, "", dtype=object)
    for at, text in np.ndenumerate(source):
        found[at] = _place(str(text))
    return found


def _place(text: str) -> str:
    return f"{NAME}:{text.rpartition(':')[2]}" if text else ""


def _judged(o: Override, patient: int, author: str) -> Override:
    cause = ANOTHER if o.cause else ""
    return replace(o, patient=patient, author=author, cause=cause, reason="", where_from=_place(o.where_from))


def deidentify_file(path: str | Path, out: str | Path, *, mapping: str | Path | TableMapping | None = None) -> Record:
    """Read a record and write it, de-identified, as a CSV table in the long form; returns what was written.

    Parameters
    ----------
    path, out : path
    mapping : path or TableMapping, optional
        See ``read_record``.

    Raises
    ------
    InputError
        Nothing can be read, or the place cannot be written to.
    """
    record = deidentify(read_record(path, mapping=mapping))
    write_record(record, out)
    return record
