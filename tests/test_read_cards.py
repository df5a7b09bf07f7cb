"""Cards and quantities as people save and type them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import vein2vein as v2v
from vein2vein.cards import LARGEST_CARD_BYTES, parse_card, read_card
from vein2vein.clinic.care.management import read_policy
from vein2vein.errors import InputError
from vein2vein.therapy.disease import find_disease
from vein2vein.therapy.product import find_product
from vein2vein.therapy.visits import read_plan
from vein2vein.units import read_dose, read_quantity


@pytest.mark.parametrize("saved", [b"\xef\xbb\xbfage = 3\n", b"# one\r\nage = 3\r\n", b"# one\rage = 3\r"])
def test_marks_of_other_editors_do_no_harm(tmp_path, saved):
    file = tmp_path / "card.toml"
    file.write_bytes(saved)
    assert read_card(file).number("age") == 3


@pytest.mark.parametrize(
    "saved, said",
    [
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"a = 1\na = 2\n", "line 2, a: not valid TOML: the field a is given twice, on lines 1 and 2; keep one"),
        (b"# \xe9\n", "not UTF-8"),
        (b"#" * (LARGEST_CARD_BYTES + 1), "larger than 2 MB"),
    ],
)
def test_what_is_no_card_is_refused_in_a_sentence(tmp_path, saved, said):
    file = tmp_path / "card.toml"
    file.write_bytes(saved)
    with pytest.raises(InputError, match=said):
        read_card(file)


def test_what_is_no_file_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    for name, said in (("loop.toml", "cannot be read"), ("", "is a folder"), ("none.toml", "no such file")):
        with pytest.raises(InputError, match=said):
            read_card(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_card(tmp_path / ("x" * 300))
    with pytest.raises(InputError, match="not the name of a file"):
        read_card("a\0.toml")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no endless device on this system")
def test_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(InputError, match="larger than"):
        read_card("/dev/zero")


def test_a_number_without_unit_is_asked_for_without_one():
    with pytest.raises(InputError, match=r"from 0 to 2[.]$"):
        parse_card("share = 3", "x").number("share", unit="1", low=0, high=2)


def test_a_comma_may_be_a_decimal_sign_but_never_a_guess():
    assert read_quantity("3,5 kg", "kg") == 3.5 and read_quantity("0,125", "kg") == 0.125
    assert read_dose("3,1e6/kg") == (3.1e6, True)
    for text in ("1,000 kg", "-25,000", "1,000,000"):
        with pytest.raises(InputError, match="without the comma"):
            read_quantity(text, "kg")
    with pytest.raises(InputError, match="without the comma"):
        read_dose("100,000")


@pytest.mark.parametrize("days", ["[]", "[nan]", "[28, 7]", "[inf]", "[28, 28]", "3", "['a']"])
def test_days_of_visits_are_days_in_order(days):
    card = parse_card(f"[visits]\ndisease_visits = {days}\n", "my.toml")
    with pytest.raises(InputError, match=r"my.toml, line 2, visits.disease_visits"):
        read_plan(card, "visits")


BUNDLED = Path(v2v.__file__).parent


@pytest.mark.parametrize(
    "card, read, line, wrong",
    [
        ("therapy/products/tisagenlecleucel.toml", find_product, "synonyms = ", "synonyms = 3"),
        ("therapy/products/tisagenlecleucel.toml", find_product, "[indications.dose]", "[[indications.dose]]"),
        ("therapy/products/tisagenlecleucel.toml", find_product, "source = ", 'source = "nobody"'),
        ("therapy/diseases/pediatric_b_all.toml", find_disease, "synonyms = ", "synonyms = true"),
        ("clinic/care/policies/early_conservative.toml", read_policy, "taper = ", "taper = 3"),
        ("clinic/care/policies/early_conservative.toml", read_policy, "taper = ", "taper = [[1]]"),
        ("clinic/care/policies/early_conservative.toml", read_policy, "treatment = ", 'treatment = "acetylcysteine"'),
        ("clinic/care/policies/early_conservative.toml", read_policy, "every = ", 'every = "often"'),
    ],
)
def test_a_card_of_one_s_own_is_refused_with_its_line(tmp_path, card, read, line, wrong):
    lines = (BUNDLED / card).read_text(encoding="utf-8").splitlines()
    at = next(i for i, text in enumerate(lines) if text.startswith(line))
    file = tmp_path / "own.toml"
    file.write_text("\n".join([*lines[:at], wrong, *lines[at + 1 :]]), encoding="utf-8")
    with pytest.raises(InputError) as problem:
        read(str(file))
    assert problem.value.line in (at + 1, 33) and problem.value.file == str(file) and len(str(problem.value)) < 500


@pytest.mark.parametrize("fault", ["b = " + "9" * 5000, "b = " + "[" * 3000], ids=["digits", "brackets"])
def test_a_separator_that_is_no_line_end_of_toml_moves_no_line(fault):
    with pytest.raises(InputError) as caught:
        parse_card(f"# one\u2028line\na = 1\n{fault}\n", "own.toml")
    assert caught.value.line == 3
