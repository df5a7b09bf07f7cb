"""What a file is, whether vein2vein can use it, for what, and what is wrong with it line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vein2vein.cards import Card, read_card
from vein2vein.clinic.care.management import read_policy
from vein2vein.clinic.criteria import read_edition
from vein2vein.errors import InputError
from vein2vein.io.nonmem import COLUMNS, read_nonmem
from vein2vein.io.record import names
from vein2vein.io.record.mapping import TableMapping, mapping_from_card
from vein2vein.io.record.read import looks_like_json, read_record
from vein2vein.io.record.record import Log, SetAside
from vein2vein.io.record.text import find_delimiter, read_text
from vein2vein.io.record.visits import read_visits
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import read_disease
from vein2vein.therapy.patient import patient_from_card
from vein2vein.therapy.product import read_product

MANIFEST = "manifest.json"
# Which findings a record can give: every group needs one of its analytes.
USES = {
    "cytokine release syndrome": (
        ("temperature",),
        ("systolic_bp", "fluid_boluses", "norepinephrine"),
        ("oxygen_device", "oxygen_flow", "fio2", "spo2"),
    ),
    "neurotoxicity (ICANS)": (("ice", "capd", "arousal"),),
    "neutropenia and ICAHT": (("neutrophils",),),
    "thrombocytopenia": (("platelets",),),
    "hyperinflammation (IEC-HS)": (("ferritin",),),
    "B-cell aplasia": (("b_cells", "b_cell_percent"),),
    "hypogammaglobulinemia": (("igg",),),
    "cellular kinetics": (("transgene", "car_t_cells"),),
    "response of leukemia": (("marrow_blasts",),),
    "response of myeloma": (("m_protein", "free_light_chain"),),
    "response of lymphoma": (("deauville", "sum_product_diameters"),),
}
CARDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("trial card", ("trial", "size"), "vein2vein trial, compare and qualify"),
    (
        "product card",
        ("indications", "target_a"),
        "vein2vein simulate, compare, explain, monitor and eligible (--product), trial files",
    ),
    ("disease card", ("lineage", "antigen_a"), "patient and trial cards"),
    (
        "criteria",
        ("thresholds", "levels"),
        "a reader: every command uses the editions that come with vein2vein",
    ),
    (
        "mapping of a record",
        ("columns", "analytes", "time_zone", "date_format", "lloq"),
        "vein2vein monitor, respond and check (--mapping)",
    ),
    (
        "policy",
        ("scale", "tocilizumab", "steroid", "based_on", "gcsf"),
        "vein2vein simulate and compare (--policy), trial files",
    ),
    ("patient card", ("age", "weight", "disease"), "vein2vein simulate, eligible and explain"),
)
Reader = Callable[[Path], object]


@dataclass(frozen=True)
class CheckReport:
    """What ``check_file`` found.

    Attributes
    ----------
    file, kind : str
        ``kind`` in words; "unknown" where nothing recognizes the file.
    fit : bool
        Whether vein2vein can use it (with what is set aside left out).
    uses : tuple of str
        What it can be used for.
    problems : tuple of SetAside
        What is wrong, by line.
    notes : tuple of str
    """

    file: str
    kind: str
    fit: bool
    uses: tuple[str, ...] = ()
    problems: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()


def check_file(
    path: str | Path, *, mapping: str | Path | TableMapping | None = None, readers: Mapping[str, Reader] | None = None
) -> CheckReport:
    """Find out what a file is and whether it is fit for use.

    Parameters
    ----------
    path : path
        A record (CSV, FHIR), visits, a card (TOML), a NONMEM data set, or a results folder.
    mapping : path or TableMapping, optional
        For records.
    readers : mapping of kind to callable, optional
        Readers of floors above this one, such as ``{"trial card": load_trial}``; each raises InputError.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _folder(path)
        if path.suffix.lower() == ".toml":
            return _card(path, readers or {})
        text = read_text(path, Log(str(path)))
        if looks_like_json(text):
            return _record(path, mapping, "FHIR")
        return _table(path, text, mapping)
    except InputError as problem:
        return CheckReport(str(path), "unknown", False, problems=(_aside(path, problem),))


def _aside(path: Path, problem: InputError) -> SetAside:
    what, _, remedy = problem.text.rstrip(".").rpartition("; ")
    return SetAside(
        problem.file or str(path),
        problem.line,
        problem.field or "",
        what or remedy,
        "",
        "",
        remedy if what else "correct the file",
    )


def _folder(path: Path) -> CheckReport:
    manifest = path / MANIFEST
    if not manifest.is_file():
        raise InputError(
            f"is a folder without {MANIFEST}: not a results folder, or the run did not finish; run the trial again.",
            file=path,
        )
    try:
        data = json.loads(manifest.read_text(encoding="utf-8"))
        tables = [str(name) for name in data.get("tables", {})]
    except (ValueError, AttributeError, RecursionError, UnicodeDecodeError):
        raise InputError("is not valid JSON; run the trial again.", file=manifest) from None
    problems: list[SetAside] = []
    for file in sorted(path.glob("*.parquet")):
        with open(file, "rb") as content:
            start = content.read(4)
        if start != b"PAR1":
            problems.append(
                SetAside(str(file), None, "", "is not a Parquet table", "", "a table", "run the trial again")
            )
    for name in tables:
        if not any(path.glob(f"{name}*")):
            problems.append(
                SetAside(str(manifest), None, name, "a table of the manifest is missing", "", "", "run the trial again")
            )
    uses = () if problems else ("vein2vein.read_table", "DuckDB, pandas, R and other readers of Parquet")
    return CheckReport(str(path), "results folder", not problems, uses, tuple(problems))


def _card(path: Path, readers: Mapping[str, Reader]) -> CheckReport:
    card = read_card(path)
    kind, use = _kind_of_card(card)
    readings: dict[str, Callable[[], object]] = {
        "product card": lambda: read_product(card),
        "disease card": lambda: read_disease(card),
        "criteria": lambda: read_edition(card),
        "policy": lambda: read_policy(path),
        "mapping of a record": lambda: mapping_from_card(card),
        **{name: lambda reader=reader: reader(path) for name, reader in readers.items()},
    }
    if not kind:
        raise InputError(
            "is TOML, but no card that vein2vein knows; expected a patient, trial, product, disease or policy card.",
            file=path,
        )
    notes: tuple[str, ...] = ()
    try:
        if kind == "patient card":
            notes = patient_from_card(card)[1]
        elif kind in readings:
            readings[kind]()
    except InputError as problem:
        return CheckReport(str(path), kind, False, problems=(_aside(path, problem),))
    if kind not in (*readings, "patient card"):
        notes = ("its fields were not checked here; the command that uses it does",)
    return CheckReport(str(path), kind, True, (use,), (), notes)


def _kind_of_card(card: Card) -> tuple[str, str]:
    best, most = ("", ""), 0.0
    for kind, fields, use in CARDS:
        share = sum(field in card.data for field in fields) / len(fields)
        if share > most:
            best, most = (kind, use), share
    return best


def _table(path: Path, text: str, mapping: str | Path | TableMapping | None) -> CheckReport:
    lines = [line for line in text[:100_000].splitlines() if line.strip() and not line.startswith("#")]
    cells = lines[0].split(find_delimiter(lines[:50])) if lines else []
    header = [cell.strip().strip('"\ufeff') for cell in cells]
    if sum(name in header for name in COLUMNS) >= len(COLUMNS) - 2:
        try:
            course, _ = read_nonmem(path)
        except InputError as problem:
            return CheckReport(str(path), "NONMEM data set", False, problems=(_aside(path, problem),))
        except (ValueError, IndexError, OverflowError) as problem:
            fault = InputError(f"cannot be read as a NONMEM data set ({problem}); export it again.", file=path)
            return CheckReport(str(path), "NONMEM data set", False, problems=(_aside(path, fault),))
        return CheckReport(
            str(path),
            "NONMEM data set",
            True,
            (f"NONMEM and programs that read its data sets: {len(course.patients)} subjects",),
        )
    if "lesion" in {names.normal(cell) for cell in header}:
        visits = read_visits(path, "lugano", mapping=mapping)
        return CheckReport(
            str(path), "disease visits with lesions", True, ("vein2vein respond",), visits.set_aside, visits.notes
        )
    return _record(path, mapping, "CSV")


def _record(path: Path, mapping: str | Path | TableMapping | None, form: str) -> CheckReport:
    kind = "record of a patient (FHIR bundle)" if form == "FHIR" else "record of a patient (CSV)"
    try:
        record = read_record(path, mapping=mapping)
    except InputError as problem:
        return CheckReport(str(path), kind, False, problems=(_aside(path, problem),))
    uses = uses_of(record.course)
    notes = list(record.notes)
    missing = [
        name
        for name, values in (("age", record.facts.age), ("weight", record.facts.weight))
        if (values != values).any()
    ]
    if missing:
        notes.append(f"not known: {' and '.join(missing)}; several scales and doses need it")
    return CheckReport(str(path), f"{kind}, {record.kind}", True, uses, record.set_aside, tuple(notes))


def uses_of(course: Course) -> tuple[str, ...]:
    """What the values of a course can be judged for, and what each judgement lacks."""
    found: list[str] = []
    for name, groups in USES.items():
        present = [any(course.measured(analyte) for analyte in group) for group in groups]
        if all(present):
            found.append(name)
        elif any(present):
            lacking = " and ".join(" or ".join(group) for group, there in zip(groups, present) if not there)
            found.append(f"{name}, in part: without {lacking}")
    return tuple(found)
