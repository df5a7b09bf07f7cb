"""Rows of a table -> entries: what each row names, what an unknown name may be, when it was, and what it holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from vein2vein.io.record import names, times
from vein2vein.io.record.headers import MOST_HINTS, PRESSURE, near_names, split_name
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.noted import noted_entries
from vein2vein.io.record.pointing import points_to
from vein2vein.io.record.record import Entry, Log, Moment, plain
from vein2vein.io.record.remarks import remark_rows
from vein2vein.io.record.row_names import Said, masked, read_row
from vein2vein.io.record.tables import WEIGHT, WHEN, Table, Times, is_graded, moment_of, times_of, until_of
from vein2vein.io.record.values import is_formula

TIMELESS = ("age", "birth_date", "sex", "height", "disease", "product", "clock")
NOT_KNOWN = "not known"  # rows of unknown names, in ``Log.counts``
MOST_POINTED = 5000  # unknown names (with their units and words) that are looked at one by one
_PRESSURE = re.compile(
    r"(?:[A-Za-z][A-Za-z .]{0,12}:?\s+)?(\d{2,3})\s*/\s*(?:\d{2,3}|palp(?:ated)?|p|-+)\s*"
    r"(?:\((?:MAP:?\s*)?(\d{2,3})\))?\s*(?:mm\s*\[?hg\]?)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[<>=~]*\s*[+-]?[\d.,]+(?:\s*/\s*\d+)?")


class Unknown:
    """Names that nothing knows: which graded analytes each may be, and how often it stands in the file."""

    def __init__(self, log: Log, place: str) -> None:
        self.log, self.place = log, place
        self.pointed: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self.lines: dict[tuple[str, str], int] = {}  # (name, analyte) -> first line
        self.counts: Counter[tuple[str, str]] = Counter()
        self.known: set[str] = set()  # headers whose cells say something of another analyte

    def may_be(self, label: str, unit: str, value: str) -> tuple[str, ...]:
        """The graded analytes that a name may be."""
        key = (label, unit, "" if _NUMBER.fullmatch(value) else value)
        if key not in self.pointed:
            if len(self.pointed) >= MOST_POINTED:
                key = (label, unit, "")
            found = points_to(label, unit, value, self.place)
            self.pointed[key] = tuple(name for name in dict.fromkeys(found) if is_graded(name))
        return self.pointed[key]

    def seen(self, label: str, line: int, analytes: Sequence[str]) -> None:
        """Count a row of an unknown name."""
        for name in analytes or ("",):
            self.lines.setdefault((label, name), line)
            self.counts[label, name] += 1

    def say(self, where: str, what: str) -> None:
        """Tell every unknown name: set aside once, or noted where it may be graded (its rows are unread entries)."""
        self.log.counts["names not known"] += len({label for label, _ in self.lines})
        self.log.counts[NOT_KNOWN] += sum(self.counts.values())
        hinted = 0
        for (label, name), line in self.lines.items():
            count = self.counts[label, name]
            rows_said = "" if count == 1 else f" ({count} rows)"
            if name:
                named = any(
                    name in found for (own, _, value), found in self.pointed.items() if own == label and not value
                )
                mend = (
                    f"name it in a mapping file: [analytes] '{plain(label)}' = '{name}'"
                    if named
                    else "words of its cells say so: give each drug, dose and sign a row or column of its own"
                )
                self.log.note(
                    f"'{plain(label)}'{rows_said} is not known and may be {name}, "
                    f"which is therefore unknown there; {mend}"
                )
                continue
            hinted += 1
            close = near_names(label) if hinted <= MOST_HINTS else []
            hint = (
                f"did you mean {' or '.join(close)}? Else name it in a mapping file"
                if close
                else "name it in a mapping file if vein2vein should read it"
            )
            self.log.aside(line, where or label, f"{what}{rows_said}", label, "an analyte or LOINC code", hint)


def _unread(
    patient: str,
    when: Moment | None,
    name: str,
    value: str,
    unit: str,
    line: int,
    column: str,
    until: Moment | None = None,
) -> Entry:
    return Entry(patient, when, name, value, unit, line, column, until=until, unread=True)


def _besides(
    said: Sequence[Said], patient: str, when: Moment | None, line: int, column: str, until: Moment | None = None
) -> list[Entry]:
    """What a row of another name says of analytes; unknown where its time cannot be read."""
    return [
        Entry(
            patient, when, one.analyte, one.value, one.unit, line, column,
            until=until, unread=one.unread or when is None, besides=True,
        )
        for one in said
        if is_graded(one.analyte) or when is not None
    ]  # fmt: skip


def _counter(log: Log) -> Callable[[str], bool]:
    """Tells whether a value says that nothing was measured, and counts it."""
    nothing = names.vocabulary().nothing
    known: dict[str, bool] = {"": True}

    def empty(value: str) -> bool:
        if value not in known:
            if value[0].isdigit() or len(known) > MOST_POINTED:
                return False
            known[value] = bool(names.normal(value)) and names.normal(value) in nothing
        if known[value]:
            log.counts["nothing measured"] += 1
        return known[value]

    return empty


def long_entries(table: Table, mapping: TableMapping, log: Log) -> list[Entry]:
    """Entries of a table with one value in each row."""
    how, found = times_of(table, mapping, log), list[Entry]()
    unknown, empty = Unknown(log, table.place), _counter(log)
    name_columns, value_column = table.roles["name"], table.roles["value"][0]
    header = table.header[value_column]
    once = {role: table.roles[role][0] for role in table.roles if role not in ("name", "value")}
    unit_at, patient_at, author_at, comment_at, limit_at, until_at = (
        once.get(role, -1) for role in ("unit", "patient", "author", "comment", "limit", "until")
    )
    told_at = table.roles.get("comment", ())
    when_at = [once[role] for role in WHEN if role in once]
    meaning: dict[str, tuple[str, str]] = {}
    for line, cells in table.rows:
        label = next((text for c in name_columns if (text := cells[c].strip())), "")
        value = cells[value_column].strip()
        if not label and not value:
            continue
        key = label if len(name_columns) == 1 else "\0".join(cells[c] for c in name_columns)
        if key not in meaning:
            named = (split_name(text, mapping.names) for c in name_columns if (text := cells[c].strip()))
            meaning[key] = next((one for one in named if one[0]), ("", ""))
        name, own_unit = meaning[key]
        unit = (cells[unit_at].strip() if unit_at >= 0 else "") or own_unit
        patient = cells[patient_at].strip() if patient_at >= 0 else ""
        if name not in (names.ATTRIBUTION, names.OVERRIDE):
            texts = [(table.header[c], cells[c]) for c in told_at if cells[c].strip()]
            texts += [(header, value)] if not name and value and names.normal(label) in remark_rows() else []
            found += _noted(texts, patient, cells, line, table, how, log, (name,))
        if not name:
            if is_formula(label):
                log.aside(
                    line, "name", "a spreadsheet formula, not a name", label, "an analyte",
                    "export values, not formulas",
                )  # fmt: skip
                continue
            said = read_row(label, unit, value)
            if said is not None:
                when = moment_of(cells, line, table, how, log, tuple(one.analyte for one in said)) if said else None
                until = until_of(cells, line, table, how, log) if until_at >= 0 else None
                found += _besides(said, patient, when, line, label, until)
                continue
            if names.normal(label) in remark_rows():
                log.note("rows of free text (notes, comments) are looked through for supports, drugs and signs only")
                continue
            may_be = () if empty(value) else unknown.may_be(label, unit, value)
            unknown.seen(label, line, may_be)
            if may_be:
                when = moment_of(cells, line, table, how, log, may_be)
                until = until_of(cells, line, table, how, log) if until_at >= 0 else None
                text, named = f"{label} {value}"[:80], table.header[name_columns[0]]
                found += [_unread(patient, when, one, text, unit, line, named, until) for one in may_be]
            continue
        timeless = name == WEIGHT or name in names.TOLD
        constant = name in TIMELESS or (timeless and not any(cells[c].strip() for c in when_at))
        when = None if constant else _infusion_time(cells, line, table, how, log, name, value)
        if when is None and not constant and not (name == "infusion" and value):
            if is_graded(name):
                found.append(_unread(patient, None, name, value, unit, line, header))
            continue
        until = until_of(cells, line, table, how, log) if until_at >= 0 else None
        author = cells[author_at].strip() if author_at >= 0 else ""
        comment = cells[comment_at].strip() if comment_at >= 0 else ""
        limit = cells[limit_at].strip() if limit_at >= 0 else ""
        empty(value)
        found += _besides(masked(label, value), patient, when, line, label)
        entry = Entry(patient, when, name, value, unit, line, header, author, comment, until, limit)
        if name == "systolic_bp" and (not value[:3].isdigit() or "/" in value or names.normal(label) in PRESSURE):
            found += _pressures(entry, names.normal(label) in PRESSURE)
        else:
            found.append(entry)
    unknown.say("name", "not an analyte that vein2vein knows")
    return found


def _noted(
    texts: Sequence[tuple[str, str]], patient: str, cells: list[str], line: int, table: Table, how: Times, log: Log,
    own: Sequence[str] = (),
) -> list[Entry]:  # fmt: skip
    """What free texts of a row (column, text) name; its time is read only where they name something."""
    found = [one for column, text in texts for one in noted_entries(text, patient, None, line, column, log, own)]
    if not found:
        return []
    when = moment_of(cells, line, table, how, log, tuple(dict.fromkeys(one.name for one in found)))
    return [one._replace(time=when) for one in found]


def _pressures(entry: Entry, paired: bool) -> list[Entry]:
    """The systolic, and where it stands in brackets the mean pressure, of a cell such as 118/72 (87)."""
    value = str(entry.value)
    match = _PRESSURE.fullmatch(value)
    if not match:
        lone = paired and _NUMBER.fullmatch(value)  # a pressure of which nobody says which
        return [entry._replace(unread=True) if lone else entry]
    mean = [entry._replace(name="mean_bp", value=match[2])] if match[2] else []
    return [entry._replace(value=match[1]), *mean]


def _infusion_time(
    cells: list[str], line: int, table: Table, how: Times, log: Log, name: str, value: str
) -> Moment | None:
    """The time of a row; a row that says when the infusion was may have the time as its value."""
    if name != "infusion" or any(cells[table.roles[role][0]].strip() for role in WHEN if role in table.roles):
        return moment_of(cells, line, table, how, log, (name if is_graded(name) else "",))
    return _infusion(value, "value", how, line, log)


def _infusion(text: str, column: str, how: Times, line: int, log: Log) -> Moment | None:
    try:
        return times.parse_moment(text, how.order, how.form, how.short)
    except times.NotATime as problem:
        log.aside(line, column, str(problem), text, "the date or time of the infusion", "write it as 2026-03-05 14:30")
        return None


def wide_entries(table: Table, mapping: TableMapping, log: Log) -> list[Entry]:
    """Entries of a table with one time in each row."""
    how, found = times_of(table, mapping, log), list[Entry]()
    unknown, empty = Unknown(log, table.place), _counter(log)
    once = {role: columns[0] for role, columns in table.roles.items()}
    items = [(column, *item, names.normal(table.header[column]) in PRESSURE) for column, item in table.items.items()]
    told_at = table.roles.get("comment", ())
    for line, cells in table.rows:
        filled = [(*item, text) for item in items if (text := cells[item[0]].strip())]
        log.counts["nothing measured"] += len(items) - len(filled)
        odd, beside, texts = _unknown_cells(table, cells, unknown, line)
        texts += [(table.header[c], cells[c]) for c in told_at if cells[c].strip()]
        if texts and not any(item[1] in (names.ATTRIBUTION, names.OVERRIDE) for item in filled):
            whose = cells[once["patient"]].strip() if "patient" in once else ""
            found += _noted(texts, whose, cells, line, table, how, log)
        if not filled and not odd and not beside:
            continue
        graded = dict.fromkeys([*(name for _, name, *_ in filled if is_graded(name)), *(one for one, *_ in odd),
                                *(one.analyte for _, one in beside)])  # fmt: skip
        when = moment_of(cells, line, table, how, log, tuple(graded) or ("",))
        own = {role: cells[c].strip() for role, c in once.items() if role in ("patient", "limit", "author", "comment")}
        patient = own.get("patient", "")
        found += [_unread(patient, when, name, text, unit, line, column) for name, text, unit, column in odd]
        for header, one in beside:
            found += _besides((one,), patient, when, line, header)
        if when is None:
            lost = [one for one in filled if is_graded(one[1])]
            found += [_unread(patient, None, n, text, u, line, table.header[c]) for c, n, u, _, text in lost]
            continue
        until = until_of(cells, line, table, how, log)
        for column, name, unit, paired, text in filled:
            at = _infusion(text, name, how, line, log) if name == "infusion" else when
            empty(text)
            if at is None:
                continue
            found += _besides(masked(table.header[column], text), patient, at, line, table.header[column])
            entry = Entry(
                patient, at, name, text, unit, line, table.header[column],
                own.get("author", ""), own.get("comment", ""), until, own.get("limit", ""),
            )  # fmt: skip
            found += _pressures(entry, paired) if name == "systolic_bp" else [entry]
    _say_columns(table, unknown)
    return found


def _unknown_cells(
    table: Table, cells: list[str], unknown: Unknown, line: int
) -> tuple[list[tuple[str, str, str, str]], list[tuple[str, Said]], list[tuple[str, str]]]:
    """What stands in unknown columns that may be graded: analyte, value, unit, header; what other names say; texts."""
    found: list[tuple[str, str, str, str]] = []
    beside: list[tuple[str, Said]] = []
    texts: list[tuple[str, str]] = []
    for column, header in table.unknown.items():
        if text := cells[column].strip():
            bare, unit = names.split_header(header)
            said = read_row(bare, unit, text)
            if said is not None:
                beside += [(header, one) for one in said]
                unknown.known.add(header)
                continue
            may_be = unknown.may_be(bare, unit, text)
            unknown.seen(header, line, may_be)
            found += [(name, f"{header} {text}"[:80], unit, header) for name in may_be]
            if not may_be:
                texts.append((header, text))
    return found, beside, texts


def _say_columns(table: Table, unknown: Unknown) -> None:
    for header in table.unknown.values():
        if header not in unknown.known and not any(label == header for label, _ in unknown.lines):
            unknown.seen(header, 1, ())
    unknown.say("", "a column that is not known; its values were not read")
