"""The script that changes code: one seed makes the same changes, each is one, and what nobody reads is left out."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "qualification" / "mutations.py"
PACKAGE = Path(__file__).resolve().parents[1] / "src" / "vein2vein"

SOURCE = '''"""Of 1 module."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    LATE = 1
__all__ = ["f"]
LIMIT = 5
Pair = tuple[int, 2]


@cache(3)
def f(a: int = 2, *, b: "text" = "word") -> "other":
    """Of 4 things."""
    if a < LIMIT:
        raise ValueError("for a developer")
    for _ in range(a):
        a += 1
    plot(a, color="red", zorder=3)
    return f"{a + b:.2f} days" if a and not b else min(a, b)
'''


@pytest.fixture(scope="module")
def mutations() -> ModuleType:
    if not SCRIPT.is_file():
        pytest.skip(f"the qualification scripts are not part of an installed package: {SCRIPT} is not there")
    spec = importlib.util.spec_from_file_location("mutations", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = module
    spec.loader.exec_module(module)
    return module


def test_the_changes_of_a_small_module_are_these(mutations):
    made = [site.mutant(i) for site in mutations.sites_of(SOURCE, "m.py") for i in range(len(site.changes))]
    told = [(one.line, one.at_import, one.before, one.after) for one in made]
    assert told == [
        (7, True, "5", "6"), (7, True, "5", "4"), (7, True, "5", "10"),
        (12, True, "2", "3"), (12, True, "2", "1"), (12, True, "2", "4"), (12, True, "'word'", "'XXwordXX'"),
        (14, False, "a < LIMIT", "a <= LIMIT"), (14, False, "a < LIMIT", "a >= LIMIT"),
        (17, False, "a += 1", "pass"), (17, False, "1", "2"), (17, False, "1", "0"),
        (18, False, "plot(a, color='red', zorder=3)", "pass"),
        (19, False, "return f'{a + b:.2f} days' if a and (not b) else min(a, b)", "return None"),
        (19, False, "f'{a + b:.2f} days' if a and (not b) else min(a, b)", "f'{a + b:.2f} days'"),
        (19, False, "f'{a + b:.2f} days' if a and (not b) else min(a, b)", "min(a, b)"),
        (19, False, "f'{a + b:.2f} days' if a and (not b) else min(a, b)",
         "f'{a + b:.2f} days' if not (a and (not b)) else min(a, b)"),
        (19, False, "a and (not b)", "a or not b"), (19, False, "a and (not b)", "not b"),
        (19, False, "a and (not b)", "a"), (19, False, "not b", "b"),
        (19, False, "a + b", "a - b"), (19, False, "a + b", "a"), (19, False, "a + b", "b"),
        (19, False, "f'.2f'", "f'.3f'"), (19, False, "' days'", "'XX daysXX'"),
        (19, False, "min(a, b)", "max(a, b)"),
    ]  # fmt: skip


def test_each_change_is_one_and_leaves_the_source_as_it_was(mutations):
    sites = mutations.sites_of(SOURCE, "m.py")
    texts = [site.mutant(i).text for site in sites for i in range(len(site.changes))]
    assert len(texts) == len(set(texts))
    again = [site.mutant(i).text for site in sites for i in range(len(site.changes))]
    assert again == texts
    for text in texts:
        compile(text, "m.py", "exec")
        assert '"""Of 4 things."""' in text and "color='red', zorder=3" in text.replace("pass", "color='red', zorder=3")


def test_the_same_seed_draws_the_same_changes(mutations):
    files = sorted((PACKAGE / "trials").rglob("*.py"))
    one, sites = mutations.draw(PACKAGE, files, 40, "11:trials")
    assert mutations.draw(PACKAGE, files[::-1], 40, "11:trials") == (one, sites)
    other, _ = mutations.draw(PACKAGE, files, 40, "12:trials")
    assert [m.text for m in one] != [m.text for m in other]
    assert len(one) == 40 and sites > 1000
    assert [(m.file, m.line) for m in one] == sorted((m.file, m.line) for m in one)
    for mutant in one:
        compile(mutant.text, mutant.file, "exec")
        assert mutant.before != mutant.after
