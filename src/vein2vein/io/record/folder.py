"""A folder of records: files of one patient or many, read as one; a broken file stops none of the others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vein2vein import arguments
from vein2vein.errors import InputError
from vein2vein.io.record.entries import SIDECAR, read_entries
from vein2vein.io.record.gather import Source, gather_all
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.people import Known, read_facts
from vein2vein.io.record.read import read_record
from vein2vein.io.record.record import Log, Record, Tally, plain

ENDINGS = (".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl")
APART = 1.5  # years between two stated ages from which they are of two persons
SHOWN = 6  # names that a sentence repeats
NAMED = 3  # files that are no records, of which a note gives the names
Say = Callable[[float, str], None]


def read_records(
    path: str | Path, *, mapping: str | Path | TableMapping | None = None, say: Say | None = None
) -> Record:
    """Read a record, or all records of a folder as one.

    Files that name no patient are of one patient, who is called as the file. A patient of one name in several files is
    one person, told as such, unless birth date, sex or age contradict it.

    Parameters
    ----------
    path : path
        A file as ``read_record`` takes it, or a folder of such files.
    mapping : path or TableMapping, optional
        For all files; default: for each the TOML file beside it.
    say : callable, optional
        Told how far the reading is: "file 3 of 30: ward.csv".

    Raises
    ------
    InputError
        Nothing in any file can be used.
    """
    path = Path(arguments.path_of("path", path))
    if not path.is_dir():
        return read_record(path, mapping=mapping)
    files, others = files_of(path)
    if not files:
        raise InputError(f"is a folder without a record; expected files that end in {', '.join(ENDINGS)}.", file=path)
    sources: list[Source] = []
    broken: list[Tally] = []
    for count, file in enumerate(files):
        if say is not None:
            say(count / len(files), f"file {count + 1} of {len(files)}: {file.name}")
        try:
            log = Log(str(file))
            found = read_entries(file, log, mapping)
            sources.append(_named(Source(found.entries, found.kind, found.mapping, log, found.decimal), file))
        except InputError as problem:
            broken.append(Tally(str(file), "", 0, 0, 0, 0, problem.text))
    if not sources:
        raise InputError(f"none of its {len(files)} files could be read: {broken[0].problem}", file=path)
    notes = [_not_read(others)] if others else []
    sources, warnings = _persons(sources)
    alone = [one.log.file for one in sources if {entry.patient for entry in one.entries} == {Path(one.log.file).stem}]
    if alone:
        notes.append("files that name no patient were taken as one patient each, who is called as the file")
    record = gather_all(sources, str(path))
    warnings += [f"{Path(one.file).name} could not be read: {one.problem}" for one in broken]
    return replace(
        record,
        notes=(*notes, *record.notes),
        tallies=(*record.tallies, *broken),
        warnings=(*warnings, *record.warnings),
    )


def files_of(folder: Path) -> tuple[list[Path], list[str]]:
    """Files that may be records, by name with numbers in their order, and the names of the others."""

    def order(path: Path) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d{1,9})", path.name) if part]

    inside = [one for one in folder.iterdir() if not one.name.startswith(".")]
    files = sorted((one for one in inside if one.is_file() and one.suffix.lower() in ENDINGS), key=order)
    others = sorted(one.name for one in inside if one not in files and one.suffix.lower() != SIDECAR)
    return files, others


def _not_read(others: list[str]) -> str:
    """The sentence for what stands in a folder beside its records."""
    listed = ", ".join(map(plain, others[:NAMED])) + (", ..." if len(others) > NAMED else "")
    if len(others) == 1:
        return f"1 other file of the folder is no record and was not read: {listed}"
    return f"{len(others)} other files of the folder are no records and were not read: {listed}"


def _named(source: Source, file: Path) -> Source:
    """A file that names no patient is of one, who is called as the file."""
    if any(entry.patient for entry in source.entries):
        return source
    return replace(source, entries=[entry._replace(patient=file.stem) for entry in source.entries])


def _persons(sources: list[Source]) -> tuple[list[Source], list[str]]:
    """Patients of one name in several files: one person, unless what is known of them contradicts it."""
    holders: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(sources):
        for label in dict.fromkeys(entry.patient for entry in one.entries):
            if label:
                holders[label].append(at)
    shared = {label: found for label, found in holders.items() if len(found) > 1}
    if not shared:
        return sources, []
    facts = [
        read_facts(one.entries, one.mapping, dict.fromkeys(entry.patient for entry in one.entries), Log(""))
        for one in sources
    ]
    renamed: list[dict[str, str]] = [{} for _ in sources]
    together: Counter[tuple[str, ...]] = Counter()
    warnings: list[str] = []
    for label, found in shared.items():
        kept = [found[0]]
        own = [facts[at][label] for at in found]
        two = any(_contradiction(one, other) for one in own for other in own)
        for at in found[1:]:
            why = _apart([facts[other][label] for other in kept], facts[at][label], doubt=two)
            if why:
                name = Path(sources[at].log.file).name
                renamed[at][label] = f"{label} ({name})"
                warnings.append(
                    f"patient {plain(label)!r} of {name} may be another person than the one of "
                    f"{Path(sources[kept[0]].log.file).name} ({why}): they were kept apart"
                )
            else:
                kept.append(at)
        if len(kept) > 1:
            together[tuple(Path(sources[at].log.file).name for at in kept)] += 1
    for names, count in together.items():
        files = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        who = "1 patient stands" if count == 1 else f"{count} patients stand"
        warnings.append(f"{who} in several files ({files}) and nothing contradicts that each is one person: merged")
    return [
        replace(one, entries=[e._replace(patient=names.get(e.patient, e.patient)) for e in one.entries])
        if names else one
        for one, names in zip(sources, renamed)
    ], warnings  # fmt: skip


def _apart(kept: list[Known], one: Known, *, doubt: bool) -> str:
    """Why a patient is not taken as the one of the files before; ``doubt``: the name stands for two persons."""
    against = next((why for other in kept if (why := _contradiction(other, one))), "")
    if not against and doubt and not any(_agrees(other, one) for other in kept):
        return "the name stands for two persons, and nothing says which"
    return against


def _agrees(one: Known, two: Known) -> bool:
    same_sex = bool(one.sex) and one.sex == two.sex
    return same_sex or (one.birth is not None and one.birth == two.birth) or abs(one.age - two.age) <= APART


def _contradiction(one: Known, two: Known) -> str:
    """What says that two are not one person; "" where nothing does."""
    if one.birth is not None and two.birth is not None and one.birth != two.birth:
        return "another date of birth"
    if one.sex and two.sex and one.sex != two.sex:
        return "another sex"
    return "another age" if abs(one.age - two.age) > APART else ""
