"""The docs are true: its Python runs, its commands exist, its links lead somewhere, and no public name is missing."""

import re
import shlex
from pathlib import Path

import pytest

import vein2vein
from vein2vein.cli.main import commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SMALL = "patients=6"  # the examples ask for hundreds of patients; the tests need only see them run


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def name_of(page):
    return str(page.relative_to(ROOT))


# Pages of the models are printed from their code and tested with it; what they show are equations, not programs.
PYTHON = [
    pytest.param(page, block, id=f"{name_of(page)}-{i}")
    for page in PAGES
    if page.parent.name != "models"
    for i, block in enumerate(blocks(page, "python"))
]
SHELL = [
    pytest.param(line, id=line)
    for line in dict.fromkeys(
        line.split("#")[0].strip()
        for page in PAGES
        for block in blocks(page, "bash")
        for line in block.splitlines()
        if line.startswith("vein2vein ")
    )
]


@pytest.mark.parametrize(("page", "block"), PYTHON)
def test_the_python_of_the_docs_runs(page, block, tmp_path, monkeypatch, stein):
    from vein2vein.therapy.patient import example_patient_text

    monkeypatch.chdir(tmp_path)
    stein.write_csv("study.csv")
    Path("patient.toml").write_text(example_patient_text(), encoding="utf-8")
    exec(compile(re.sub(r"patients=\d+", SMALL, block), name_of(page), "exec"), {})


# Tables and mappings of the page on records: a CSV is read with the TOML that stands last before it in its section.
def _tables_with_mappings():
    page = ROOT / "docs" / "formats-record.md"
    mapping, section = "", ""
    for found in re.finditer(r"^## ([^\n]+)$|^```(toml|csv)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        if found[1]:
            mapping, section = "", found[1]
        elif found[2] == "toml":
            mapping = found[3]
        else:
            yield pytest.param(mapping, found[3], id=f"{section}: {found[3].splitlines()[0]}")


@pytest.mark.parametrize(("mapping", "rows"), [*_tables_with_mappings()])
def test_the_tables_of_the_docs_are_read_whole_with_the_mappings_of_the_docs(mapping, rows, tmp_path):
    from vein2vein.io.record.read import read_record

    path = tmp_path / "record.csv"
    latin = 'encoding = "latin-1"' in mapping
    path.write_text(rows, encoding="latin-1" if latin else "utf-8")
    if "car_t_infusion" not in rows and "infusion" not in mapping:
        mapping += "\n[patient]\ninfusion = 2026-03-05T10:00:00\n"
    (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
    record = read_record(path, mapping=tmp_path / "mapping.toml")
    assert record.set_aside == () and record.read >= len(rows.splitlines()) - 3


def test_every_mapping_of_the_docs_is_one():
    from vein2vein.cards import parse_card
    from vein2vein.io.record.mapping import mapping_from_card

    found = [block for page in PAGES for block in blocks(page, "toml") if page.name == "formats-record.md"]
    assert len(found) >= 2 and len([*_tables_with_mappings()]) >= 4
    for block in found:
        mapping_from_card(parse_card(block, "mapping.toml"))


def test_the_readme_shows_the_main_job_in_about_five_lines():
    (block,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in block.splitlines() if line.strip()]) <= 6
    assert "import vein2vein as v2v" in block


@pytest.mark.parametrize("line", SHELL)
def test_the_commands_of_the_docs_exist(line):
    words = shlex.split(line.split("|")[0])[1:]
    if words[0].startswith("-"):
        commands.make_context("vein2vein", [], resilient_parsing=True)
        assert words == ["--help"]
        return
    chosen = commands.commands[words[0]]
    chosen.make_context(words[0], [w for w in words[1:] if w != "--help"])


def test_links_lead_somewhere():
    lost = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                lost.append(f"{name_of(page)}: {target}")
    assert not lost


def test_every_public_name_is_listed():
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.M)
    assert listed == [name for name in vein2vein.__all__ if name != "__version__"]


def test_every_command_is_shown_in_the_docs():
    shown = "\n".join(block for page in PAGES for block in blocks(page, "bash"))
    assert [name for name in commands.commands if f"vein2vein {name}" not in shown] == []


def _lost(page):
    """Files and rooms that a page names and that are not there; a bare name is a file beside one named before it."""
    lost, package = [], ROOT / "src" / "vein2vein"
    for paragraph in page.split("\n\n"):
        folders = [package, ROOT]
        for name in re.findall(r"`([\w./]+\.(?:py|toml)|[\w/]+/)`", paragraph):
            there = [folder / name for folder in folders if (folder / name).exists()]
            lost += [] if there else [name]
            folders += [path.parent for path in there]
    for rooms in re.findall(r"^\| (`[^|]+) \|", page, re.M):
        for room in re.findall(r"`([\w/]+)`", rooms):
            lost += [] if (package / room).is_dir() or (package / f"{room}.py").is_file() else [room]
    return lost


def test_the_files_and_rooms_of_the_architecture_are_there():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert not _lost(page)
    walks = page.split("## Five walks")[1].split("\n## ")[0]
    assert len(re.findall(r"`[\w/]+/\w+\.py`", walks)) > 30


def test_the_search_for_lost_files_finds_them():
    assert _lost("| `cli`, `attic` | x |\n\n`cli/main.py`, `trial.py`, `nothing.py`, `old/`\n\n`trial.py`") == [
        "nothing.py", "old/", "trial.py", "attic",
    ]  # fmt: skip


def test_the_readme_warns_that_this_is_no_medical_device():
    assert "not a medical device" in (ROOT / "README.md").read_text(encoding="utf-8")
