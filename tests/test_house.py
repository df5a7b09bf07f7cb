"""The house in shape: floors, sizes, names, numbers, sources, the public face."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vein2vein
from vein2vein.cli.main import MODULES
from vein2vein.clinic.criteria import with_sources
from vein2vein.models import catalogue
from vein2vein.sources import all_sources, is_own
from vein2vein.web.doors.declared import DOORS, FRAME

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "vein2vein"
FILES = sorted(PACKAGE.rglob("*.py"))
CARDS = sorted(PACKAGE.rglob("*.toml"))
PRIORS = ROOT / "qualification" / "priors.toml"
LONGEST = 400
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "core", "base", "common", "misc"}
HOW = {"reported", "converted", "digitized", "fitted", "calibrated", "assumed"}

# Numbers that may stand in the Python of models, therapy and clinic besides 0, 1 and 2. Everything else is data.
UNIT_FACTORS = {
    0.5: "half of 1 (midpoints, rounding, the half-day grid)",
    3: "the cube, and axes of a figure's data",
    10: "base of the decimal logarithm",
    24: "hours in a day",
    60: "minutes in an hour",
    100: "percent",
    1000: "milli",
    1e6: "micro; cells are counted in millions",
    1e9: "blood counts are in 10^9/L",
    365.25: "days in a year",
    7: "days in a week",
    30.4375: "days in a month",
}
ELSEWHERE = {
    "models/mathematics.py": {1e-300: "the smallest divisor"},
    "models/model.py": {1e-6: "solver: default absolute tolerance"},
}


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_floors_and_walls_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports as lint; exit(lint(no_cache=True))"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "src", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_file_is_longer_than_a_reader_can_hold(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_files_are_named_after_what_they_are_about(path):
    assert not set(path.relative_to(PACKAGE).with_suffix("").parts) & FORBIDDEN_NAMES


def test_rooms_have_no_code_at_their_door():
    for path in PACKAGE.rglob("*/__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), _name(path)


def test_nothing_imports_the_face():
    """Rooms import each other, never the package as a whole (its version apart)."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert "vein2vein" not in {alias.name for alias in node.names}, _name(path)
            if isinstance(node, ast.ImportFrom) and node.module == "vein2vein":
                assert not {alias.name for alias in node.names} & (set(vein2vein.__all__) - {"__version__"}), _name(
                    path
                )


# ---------------------------------------------------------------- the face


MOST_PUBLIC_NAMES = 69
"""A reader can still hold them: fifty for journeys, trials and the ward, some for models, data and fits."""


def test_every_public_name_resolves_and_is_documented():
    assert len(vein2vein.__all__) == len(set(vein2vein.__all__)) <= MOST_PUBLIC_NAMES
    for name in vein2vein.__all__:
        value = getattr(vein2vein, name)
        if name != "__version__":
            assert inspect.getdoc(value), f"{name} has no docstring"
            assert value.__module__.startswith("vein2vein."), f"{name} is not ours"


def test_the_face_is_what_its_stub_says():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    told = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {name: f"vein2vein.{home}" for name, home in vein2vein._HOME.items()} == told


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        vein2vein.no_such_name  # noqa: B018


# A model is found by its name, not by an import; two edit the cards for a script, beside the public calibrate.
FOUND_BY_NAME = {f"vein2vein.models.{name}" for name in catalogue.model_names()}
# So are the doors of the app, and what a job computes, which is named by its kind.
FOUND_BY_NAME |= {f"vein2vein.web.doors.{name}" for name in (*DOORS, *FRAME)}
FOUND_BY_NAME |= {"vein2vein.web.ward.pictures", "vein2vein.web.patient.work"}
WAITING = {"vein2vein.clinic.response.leukemia"}  # classes that no record or report shows yet
BY_SCRIPT = {
    f"vein2vein.inference.calibration.{name}": "qualification/write_cards.py" for name in ("unfitted", "write_cards")
}


def _imports(path, modules):
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & modules


def test_a_command_or_a_public_name_reaches_every_module():
    files = {_module(path): path for path in FILES}
    commands = {f"vein2vein.cli.{module}" for module in MODULES.values()}
    todo = ["vein2vein.__main__", *(f"vein2vein.{home}" for home in vein2vein._HOME.values())]
    todo += [*commands, *FOUND_BY_NAME]
    reached = set()
    while todo:
        module = todo.pop()
        if module in files and module not in reached:
            reached.add(module)
            todo += _imports(files[module], files.keys())
    rooms = {module for module, path in files.items() if path.name == "__init__.py"}
    assert set(files) - reached - rooms == set(BY_SCRIPT) | WAITING
    for module, script in BY_SCRIPT.items():
        if (ROOT / script).is_file():
            assert _imports(ROOT / script, {module})


WRITES = {"write_text", "write_bytes", "replace", "rename", "link", "mkstemp", "NamedTemporaryFile", "savefig"}
"""Calls that make a file; ``replace`` and the like count where they are called on the module os or a path."""


def _writes(tree):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, mode = node.func, [a.value for a in node.args if isinstance(a, ast.Constant)]
        mode += [k.value.value for k in node.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        of = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
        opens = name in ("open", "fdopen") and any(isinstance(m, str) and re.fullmatch(r"[wxa]b?\+?", m) for m in mode)
        moved = name in WRITES and isinstance(called, ast.Attribute) and (name not in ("replace", "link") or of == "os")
        if opens or moved:
            yield node.lineno


# Functions of the script that changes code: they write in children, inside the private copy of the tree that the script
# made and removes, where importing files.py would import the code under test (or a change to it) too early.
APART = {"mutants.py": ("cover", "serve")}


def _without(tree, names):
    tree.body = [node for node in tree.body if getattr(node, "name", "") not in names]
    return tree


def test_every_file_is_written_through_one_room():
    """Whole or not at all, never over a device, pipe or link: files.py; the null device of a closed stream apart."""
    scripts = sorted((ROOT / "qualification").glob("*.py"))
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in [*FILES, *scripts]
        if path != PACKAGE / "files.py"
        for line in _writes(_without(ast.parse(path.read_text(encoding="utf-8")), APART.get(path.name, ())))
        if "os.devnull" not in path.read_text(encoding="utf-8").splitlines()[line - 1]
    }
    assert not found


def test_every_table_is_safe_in_a_spreadsheet():
    """Whoever writes a CSV file passes its texts through ``safe_cell``: none begins as a formula."""
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    writers = {path: text for path, text in texts.items() if re.search(r"csv\.(Dict)?[wW]riter\(", text)}
    assert len(writers) >= 6
    assert not {path for path, text in writers.items() if "safe_cell(" not in text}


def test_the_search_for_writers_finds_them():
    code = "path.write_text(x)\nos.replace(a, b)\nopen(p, 'w')\nwith p.open('xb') as f: pass\ntempfile.mkstemp()"
    assert len(list(_writes(ast.parse(code)))) == 5
    assert (
        len(list(_writes(_without(ast.parse("def f():\n os.replace(a, b)\ndef g():\n os.replace(a, b)"), ("f",))))) == 1
    )
    assert not list(_writes(ast.parse("text.replace('a', 'b')\nreplace(record, a=1)\nopen(p)\nwrite_text(p, x)")))


def test_importing_the_face_is_quick():
    heavy = {"numpy", "scipy", "matplotlib", "duckdb", "rich", "click", "llvmlite", "pint", "jinja2", "fastapi"}
    code = f"import sys, vein2vein; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_public_functions_and_classes_are_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file does not say what it is"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_every_module_can_be_imported():
    for path in FILES:
        if path.name != "__main__.py":
            importlib.import_module(_module(path))


# ---------------------------------------------------------------- numbers and sources


def _tables(data, path=()):
    if isinstance(data, dict):
        yield path, data
        for key, value in data.items():
            yield from _tables(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _tables(value, (*path, str(index)))


def _cited(data):
    for path, table in _tables(data):
        for key in ("source", "sources"):
            keys = table.get(key, [])
            for one in [keys] if isinstance(keys, str) else keys:
                if isinstance(one, str) and one:
                    yield path, one


@pytest.mark.parametrize("path", CARDS, ids=_name)
def test_every_parameter_is_sourced(path):
    for place, table in _tables(tomllib.loads(path.read_text(encoding="utf-8"))):
        if len(place) >= 2 and place[-2] == "parameters" and "value" in table:
            label = ".".join(place)
            assert table.get("how") in HOW, f"{label}: how = {table.get('how')!r}"
            assert table.get("why") if table["how"] == "assumed" else table.get("source"), (
                f"{label}: neither source nor why"
            )


@pytest.mark.parametrize("path", CARDS, ids=_name)
def test_every_source_key_resolves(path):
    unknown = {key for _, key in _cited(tomllib.loads(path.read_text(encoding="utf-8"))) if key not in all_sources()}
    assert not unknown


@pytest.mark.parametrize("path", CARDS, ids=_name)
def test_what_is_reported_was_read(path):
    """A report of our own supports nothing: what cites it says what was read there, or that it is assumed, and why."""
    for place, table in _tables(tomllib.loads(path.read_text(encoding="utf-8"))):
        if table.get("how") in {"reported", "converted"} and is_own(str(table.get("source", ""))):
            assert re.search(r"\[R:[SW]\d", str(table.get("where", ""))), ".".join(place)


def test_the_readme_says_how_many_numbers_are_assumed():
    tables = [table for path in CARDS for _, table in _tables(tomllib.loads(path.read_text(encoding="utf-8")))]
    hows = [table["how"] for table in tables if table.get("how") in HOW and (table.get("source") or table.get("why"))]
    assert 0.6 < hows.count("assumed") / len(hows) < 2 / 3
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "Nearly two thirds of the numbers on the cards are assumed" in words


def test_every_mark_says_what_was_read():
    for path in CARDS:
        text = path.read_text(encoding="utf-8")
        marks = {one for found in re.findall(r"\[R:([^\]]*)\]", text) for one in re.findall(r"\b[SW]\d+", found)}
        assert not [one for one in sorted(marks) if with_sources(one) == one], path.name


def test_every_prior_says_where_it_comes_from():
    data = tomllib.loads(PRIORS.read_text(encoding="utf-8"))
    for name, prior in data["prior"].items():
        assert ("center" in prior) != ("ratio" in prior), name
        assert prior["sd"] > 0 and prior["unit"] and prior["why"], name
        assert prior["how"] == "assumed" or (prior["how"] in {"reported", "converted"} and prior["sources"]), name
        assert set(prior.get("sources", [])) <= set(all_sources()), name
    assert {free["prior"] for free in data["free"].values()} == set(data["prior"])


def test_every_source_is_used():
    used = {key for path in [*CARDS, PRIORS] for _, key in _cited(tomllib.loads(path.read_text(encoding="utf-8")))}
    scripts = [ROOT / script for script in set(BY_SCRIPT.values())]
    code = "\n".join(path.read_text(encoding="utf-8") for path in [*FILES, *scripts, *PACKAGE.rglob("*.csv")])
    idle = {key for key in all_sources() if key not in used and not re.search(rf"\b{re.escape(key)}\b", code)}
    assert not idle


def test_sources_are_listed_once_and_whole():
    text = (PACKAGE / "sources.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,\s]+),", text, re.M)
    assert len(keys) == len(set(keys)) == len(all_sources())
    for key, entry in all_sources().items():
        assert entry.fields.get("title") and entry.fields.get("year"), key


def _numbers(tree):
    """Numeric literals, those in subscripts (positions) and in keyword digits/axis/ndmin apart."""
    skip = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            skip.update(id(n) for n in ast.walk(node.slice))
        if isinstance(node, ast.keyword) and node.arg in {
            "axis",
            "decimals",
            "digits",
            "ndmin",
            "indent",
            "digest_size",
            "maxsize",
        }:
            skip.update(id(n) for n in ast.walk(node.value))
        if isinstance(node, ast.FormattedValue) and node.format_spec:
            skip.update(id(n) for n in ast.walk(node.format_spec))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, int | float)
            and not isinstance(node.value, bool)
            and id(node) not in skip
        ):
            yield node.lineno, node.value


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.relative_to(PACKAGE).parts[0] in {"models", "therapy", "clinic"}], ids=_name
)
def test_numbers_live_in_cards(path):
    allowed = {0, 1, 2, *UNIT_FACTORS, *ELSEWHERE.get(path.relative_to(PACKAGE).as_posix(), ())}
    found = [
        f"line {line}: {value}"
        for line, value in _numbers(ast.parse(path.read_text(encoding="utf-8")))
        if abs(value) not in allowed
    ]
    assert not found, f"{_name(path)}: numbers belong in TOML with their source: {'; '.join(found)}"


def test_the_list_of_allowed_numbers_is_not_longer_than_needed():
    for name, numbers in ELSEWHERE.items():
        found = {abs(value) for _, value in _numbers(ast.parse((PACKAGE / name).read_text(encoding="utf-8")))}
        assert set(numbers) <= found, name


# ---------------------------------------------------------------- what must not be committed


def _committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, timeout=60)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing is committed here")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_path_of_a_machine_and_no_index_address_is_committed():
    private = re.compile(
        r"(?<![\w.])/(?:home|Users|root)/\w|(?<![\w./])/(?:work|tmp)/[\w.]|--(?:extra-)?index-url|://[\w.-]*(?:pypi|nexus|artifactory|devpi)[\w.-]*/"
    )
    found = []
    for path in _committed():
        if path == Path(__file__).resolve() or path.suffix in {".png", ".jpg", ".parquet"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if private.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found


def test_constraints_name_exact_versions_of_every_dependency():
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = re.fullmatch(r"([A-Za-z0-9_.-]+)==([\w.]+)", line).groups()
            pinned[name.lower().replace("_", "-")] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.match(r"[A-Za-z0-9_.-]+", want).group().lower() for want in wanted}
    assert names <= set(pinned)


def test_ci_runs_what_the_readme_says():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("<!-- tests:begin -->") == readme.count("<!-- tests:end -->") == 1
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pytest" not in script and "README.md" in script
    assert "chromium" in script and "export VEIN2VEIN_BROWSER_REQUIRED=1" in script
