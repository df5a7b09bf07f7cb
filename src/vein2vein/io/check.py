"""What a file is, whether vein2vein can use it, for what, and what is wrong with it line by line."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vein2vein.cards import Card, read_card
from vein2vein.clinic.care.management import read_policy
from vein2vein.clinic.criteria import read_edition
from vein2vein.errors import InputError
from vein2vein.files import checksum
from vein2vein.io.record import names
from vein2vein.io.record.entries import looks_like_json, mapping_of
from vein2vein.io.record.gather import NO_ZERO
from vein2vein.io.record.kinds import kind_of_text
from vein2vein.io.record.mapping import TableMapping, mapping_from_card
from vein2vein.io.record.proposal import propose
from vein2vein.io.record.read import read_logged
from vein2vein.io.record.record import Log, SetAside
from vein2vein.io.record.text import find_delimiter, is_stdin, name_of, read_text
from vein2vein.io.record.visits import read_visits
from vein2vein.io.study.columns import Columns, columns_from_card, has_columns_beside, is_data_set
from vein2vein.io.study.read import read_study
from vein2vein.io.study.study import described_counts
from vein2vein.io.study.table import header_of
from vein2vein.therapy.course import Course
from vein2vein.therapy.disease import read_disease
from vein2vein.therapy.patient import PAPERS_LACK, patient_from_card
from vein2vein.therapy.product import read_product

MANIFEST = "manifest.json"
COLUMNS = "columns of a data set"
DATA_SET = " data set"  # how the kind of a population data set ends
EXPLORED = "cellular kinetics without a model: vein2vein explore"
FITTED = "a population model: vein2vein fit (--model stein_2019 or one of 'vein2vein models')"
FIT_FILE = "population fit"
COUNTED = ("rows", "names not known", "nothing measured", "columns not read", "rows of no use")
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
    "cellular kinetics (vein2vein explore)": (("transgene", "car_t_cells"),),
    "response of leukemia": (("marrow_blasts",),),
    "response of myeloma": (("m_protein", "free_light_chain"),),
    "response of lymphoma": (("deauville", "sum_product_diameters"),),
}
CARDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("stamp of a prediction", ("digest", "predicted"), "vein2vein score"),
    ("trial card", ("trial", "size"), "vein2vein trial, compare and qualify"),
    (
        "product card",
        ("indications", "target_a"),
        "vein2vein simulate, compare, explain, monitor and eligible (--product), trial files",
    ),
    ("label card", ("uses", "brand"), "vein2vein eligible (--label)"),
    ("disease card", ("lineage", "antigen_a"), "patient and trial cards"),
    ("comparator card", ("survival", "diseases"), 'an arm of a trial file (comparator = "...")'),
    (
        "criteria",
        ("thresholds", "levels"),
        "a reader: every command uses the editions that come with vein2vein",
    ),
    (
        "mapping of a record",
        ("columns", "analytes", "time_zone", "date_format", "lloq", "form", "delimiter", "patient"),
        "vein2vein monitor, respond and check (--mapping)",
    ),
    (
        COLUMNS,
        ("time", "endpoint", "dose", "codes", "missing", "dv"),
        "vein2vein check, explore and fit",
    ),
    (FIT_FILE, ("fit", "parameters", "endpoints"), "vein2vein fit"),
    (
        "policy",
        ("scale", "tocilizumab", "steroid", "based_on", "gcsf"),
        "vein2vein simulate and compare (--policy), trial files",
    ),
    ("patient card", ("age", "weight", "disease"), "vein2vein simulate, eligible, explain and refer"),
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
    counts : mapping of str to int
        Of a record: values read, set aside, names not known, nothing measured, columns not read.
    mapping : tuple of str
        Of a table: in words, the mapping with which it is read.
    proposal : str
        That mapping as a file (TOML); reading the table with it gives the same.
    """

    file: str
    kind: str
    fit: bool
    uses: tuple[str, ...] = ()
    problems: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    mapping: tuple[str, ...] = ()
    proposal: str = ""


def check_file(
    path: str | Path,
    *,
    mapping: str | Path | TableMapping | None = None,
    columns: Columns | None = None,
    readers: Mapping[str, Reader] | None = None,
) -> CheckReport:
    """Find out what a file is and whether it is fit for use.

    Parameters
    ----------
    path : path
        A record (CSV, FHIR), visits, a card (TOML), a data set of NONMEM, Monolix or nlmixr, or a results folder; "-"
        is the standard input.
    mapping : path or TableMapping, optional
        For records.
    columns : Columns, optional
        For data sets: what differs from the usual names of columns; with them a table is read as a data set.
    readers : mapping of kind to callable, optional
        Readers of floors above this one, such as ``{"trial card": load_trial}``; each raises InputError.
    """
    path = Path(path)
    try:
        if is_stdin(path):
            return _text(path, mapping, columns)
        if path.is_dir():
            return _folder(path)
        if path.suffix.lower() == ".toml":
            return _card(path, readers or {})
        return _text(path, mapping, columns)
    except InputError as problem:
        return CheckReport(name_of(path), _told(problem), False, problems=(_aside(path, problem),))


def _told(problem: InputError) -> str:
    """What a refused file is, where its sentence says so."""
    match = re.match(r"is (?:an? )?(.+?), expected a CSV file", problem.text)
    return match[1] if match else "unknown"


def _text(path: Path, mapping: str | Path | TableMapping | None, columns: Columns | None) -> CheckReport:
    log = Log(name_of(path))
    how = mapping_of(path, mapping, log)
    text = read_text(path, log, how.encoding)
    if looks_like_json(text):
        return _record(path, mapping, "FHIR")
    if kind := kind_of_text(text, path.suffix.lower()):
        raise kind.error(log.file)
    if columns is not None or (has_columns_beside(path) and not how.columns):
        return _data_set(path, columns)
    return _table(path, text, mapping, how)


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
        records = sum(file.suffix.lower() in (".csv", ".tsv", ".json", ".ndjson") for file in path.iterdir())
        if records:
            raise InputError(
                f"is a folder with records ({records}), not results; check them: 'vein2vein check "
                f"{shlex.quote(str(path))}/*'.",
                file=path,
            )
        raise InputError(
            f"is a folder without {MANIFEST}: not a results folder, or the run did not finish; run the trial again.",
            file=path,
        )
    try:
        data = json.loads(manifest.read_text(encoding="utf-8"))
        if "files" in data and "minus_two_ll" in data:
            return _fit_folder(path, dict(data["files"]), str(data["verdict"][0]))
        tables = [str(name) for name in data.get("tables", {})]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, UnicodeDecodeError):
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


def _fit_folder(path: Path, files: Mapping[str, str], verdict: str) -> CheckReport:
    """The folder of a fit: each file is there and as it was written."""
    problems = tuple(
        SetAside(str(path / name), None, "", "was changed after the fit" if (path / name).is_file() else "is missing",
                 "", "", "fit again, or leave it out of what you hand on")
        for name, told in files.items() if not (path / name).is_file() or checksum(path / name) != told
    )  # fmt: skip
    uses = () if problems else ("vein2vein vpc, simulate --fit, fit --compare", "vein2vein.read_fit")
    return CheckReport(str(path), "folder of a fit", not problems, uses, problems, (verdict,))


def _card(path: Path, readers: Mapping[str, Reader]) -> CheckReport:
    card = read_card(path)
    kind, use = _kind_of_card(card)
    readings: dict[str, Callable[[], object]] = {
        "product card": lambda: read_product(card),
        "disease card": lambda: read_disease(card),
        "criteria": lambda: read_edition(card),
        "policy": lambda: read_policy(path),
        "mapping of a record": lambda: mapping_from_card(card),
        COLUMNS: lambda: columns_from_card(card),
        **{name: lambda reader=reader: reader(path) for name, reader in readers.items()},
    }
    if not kind:
        raise InputError(
            "is TOML, but no card that vein2vein knows; "
            "expected a patient, trial, product, disease, policy or comparator card.",
            file=path,
        )
    notes: tuple[str, ...] = ()
    try:
        if kind == "patient card":
            patient, notes = patient_from_card(card, may_lack=PAPERS_LACK)
            if lacks := [name for name in PAPERS_LACK if name not in patient.known]:
                use = "vein2vein eligible, explain and refer"
                notes = (f"{', '.join(lacks)}: missing; add it for vein2vein simulate", *notes)
        elif kind in readings:
            readings[kind]()
    except InputError as problem:
        return CheckReport(str(path), kind, False, problems=(_aside(path, problem),))
    if kind == COLUMNS:
        notes = ("goes with the data set of the same name: NAME.columns.toml for NAME.csv",)
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


def _table(path: Path, text: str, mapping: str | Path | TableMapping | None, how: TableMapping) -> CheckReport:
    lines = [line for line in text[:100_000].splitlines() if line.strip() and not line.startswith("#")]
    cells = lines[0].split(how.delimiter or find_delimiter(lines[:50])) if lines else []
    header = [cell.strip().strip('"\ufeff') for cell in cells]
    if is_data_set(header_of(text)[1]) and not how.columns:
        return _data_set(path, None)
    if "lesion" in {names.normal(cell) for cell in header}:
        visits = read_visits(path, "lugano", mapping=mapping)
        return CheckReport(
            name_of(path), "disease visits with lesions", True, ("vein2vein respond",), visits.set_aside, visits.notes
        )
    return _record(path, mapping, "CSV")


def _data_set(path: Path, columns: Columns | None) -> CheckReport:
    study = read_study(path, columns=columns)
    uses = ()
    if study.fit:
        uses = (f"{study.program} and what reads its data sets: {described_counts(study)}", EXPLORED)
        uses += (FITTED,) if len(study.subjects) > 1 else ()
    named = [f"{one.name}{f' ({one.unit})' if one.unit else ''}" for one in study.endpoints]
    notes = (f"endpoints: {', '.join(named)}",) if len(named) > 1 or (named and study.endpoints[0].unit) else ()
    held = [f"{one.name}{' (in time)' if one.in_time else ''}" for one in study.covariates.values()]
    notes += (f"covariates: {', '.join(held)}"[:300],) if held else ()
    return CheckReport(
        name_of(path), f"{study.program}{DATA_SET}", study.fit, uses, (*study.findings, *study.doubts),
        (*notes, *study.notes),
    )  # fmt: skip


def _record(path: Path, mapping: str | Path | TableMapping | None, form: str) -> CheckReport:
    kind = "record of a patient (FHIR bundle)" if form == "FHIR" else "record of a patient (CSV)"
    log, told, written = Log(name_of(path)), (), ""
    if form == "CSV":
        told, written = _proposed(path, mapping)
    try:
        record = read_logged(path, log, mapping)
    except InputError as problem:
        # what has to be mended, too; that day 0 is missing is said once
        rows = tuple(one for one in log.in_order() if one.what != NO_ZERO[0]) if log.counts["rows"] else ()
        first = () if any(str(one) in problem.text for one in rows) else (_aside(path, problem),)
        return CheckReport(
            name_of(path), _kind(problem, kind), False, problems=(*first, *rows), notes=log.all_notes(), mapping=told,
            proposal=written,
        )  # fmt: skip
    notes = list(record.notes)
    missing = [
        name
        for name, values in (("age", record.facts.age), ("weight", record.facts.weight))
        if (values != values).any()
    ]
    if missing:
        notes.append(f"not known: {' and '.join(missing)}; several scales and doses need it")
    counts = {
        "values read": record.read,
        "set aside": len(record.set_aside) + log.more,
        **{name: log.counts[name] for name in COUNTED if form == "CSV"},
    }
    return CheckReport(
        name_of(path), f"{kind}, {record.kind}", True, uses_of(*record.courses), record.set_aside, tuple(notes), counts,
        told, written,
    )  # fmt: skip


def _kind(problem: InputError, otherwise: str) -> str:
    told = _told(problem)
    return otherwise if told == "unknown" else told


def _proposed(path: Path, mapping: str | Path | TableMapping | None) -> tuple[tuple[str, ...], str]:
    """The mapping with which a table is read: in words, and as a file."""
    try:
        found = propose(path, mapping_of(path, mapping, Log(name_of(path))))
    except InputError:
        return (), ""
    return found.summary, found.text


def uses_of(*courses: Course) -> tuple[str, ...]:
    """What the values of courses can be judged for, and what each judgement lacks."""
    found: list[str] = []
    for name, groups in USES.items():
        present = [any(course.measured(analyte) for course in courses for analyte in group) for group in groups]
        if all(present):
            found.append(name)
        elif any(present):
            lacking = " and ".join(" or ".join(group) for group, there in zip(groups, present) if not there)
            found.append(f"{name}, in part: without {lacking}")
    return tuple(found)
