"""What a concept of FHIR means: by its codes first, then by its texts; what it may hide where neither is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from vein2vein import units
from vein2vein.analytes import all_analytes
from vein2vein.cards import parse_card
from vein2vein.errors import InputError
from vein2vein.io.record import names
from vein2vein.io.record.fhir.check_digits import loinc_digit, mistyped
from vein2vein.io.record.fhir.entries import table, tables
from vein2vein.io.record.mapping import TableMapping
from vein2vein.io.record.pointing import points_to
from vein2vein.io.record.quantities import line_of

LOCAL, DISEASE, PATIENT, INFUSION = "local", "disease", "patient", "car_t_infusion"
DRUG, PROCEDURE, DEVICE = "MedicationAdministration", "Procedure", "device"
KINDS = ("loinc", "rxnorm", "snomed", "atc", "ndc", "icd10pcs", "cpt", "hcpcs", "icd10", "answer")
SHORTEST, LONGEST = 3, 3  # letters of a word, and words of a name, that are looked for in the text of a drug
_NUMBER = re.compile(r"[<>=\s]*[+-]?[\d.]+(e[+-]?\d+)?")
_LOINC = re.compile(r"\d{1,7}-\d")
_MIXTURE = re.compile(r"\s(?:/|\+|and)\s+(?=[a-z]{4})", re.IGNORECASE)  # not "5 mg / 50 ml"


class Meaning(NamedTuple):
    """What a concept means.

    Attributes
    ----------
    name : str
        Analyte or fact; "" where it is none that is known.
    value, unit : str
        What the code itself says; "" where the value stands elsewhere.
    bound : str
        ">" where the value that stands elsewhere is only a lower bound.
    second, positive : bool
        Only where no other code gives the analyte at that time; only where its number is above 0.
    product : str
        Card of a CAR-T product.
    say : str
        What is told once where such a code was read.
    unread : tuple of str
        Analytes that it may be, without being understood.
    why : str
        Why it is not read; "" where nothing is known of it.
    label : str
        System, code and text, for people.
    """

    name: str = ""
    value: str = ""
    unit: str = ""
    bound: str = ""
    second: bool = False
    positive: bool = False
    product: str = ""
    say: str = ""
    unread: tuple[str, ...] = ()
    why: str = ""
    label: str = ""


@cache
def book() -> Mapping[str, Any]:
    """The codes of fhir_codes.toml."""
    read = resources.files("vein2vein.io.record.fhir").joinpath("fhir_codes.toml").read_text(encoding="utf-8")
    return parse_card(read, "fhir_codes.toml").data


@cache
def system_of(address: str) -> str:
    """The name of a code system by any of its addresses; the address itself where it is not known."""
    plain = address.strip().rstrip("/").replace("https://", "http://").casefold()
    for name, known in book()["systems"].items():
        if plain == known.casefold():
            return name
    return next((name for known, name in book()["addresses"].items() if plain == known.casefold()), address)


@cache
def _entries(system: str) -> Mapping[str, Mapping[str, Any]]:
    """Codes of one system that are read."""
    found = dict(book()["icd10" if system == "icd10cm" else system])
    if system == "loinc":  # every code of the closed list is known, and so are the answers of LOINC lists
        for analyte in all_analytes().values():
            if analyte.loinc:
                found.setdefault(analyte.loinc, {"to": analyte.name, "mark": "M"})
    if system in ("loinc", "snomed"):
        found |= {code: one for code, one in book()["answer"].items() if one["to"] in all_analytes()}
    return found


def codings(concept: object) -> Iterator[tuple[str, str]]:
    """System (its short name where it is known) and code of each coding of a concept."""
    for coding in tables((table(concept) or {}).get("coding")):
        place, code = coding.get("system"), coding.get("code")
        if isinstance(code, str) and code.strip():
            yield (system_of(place) if isinstance(place, str) else "", code.strip())


def texts(concept: object) -> list[str]:
    """What a concept says in words: its text, then the displays of its codes."""
    held = table(concept) or {}
    said = [held.get("text"), *(one.get("display") for one in tables(held.get("coding")))]
    return list(dict.fromkeys(one.strip() for one in said if isinstance(one, str) and one.strip()))


def label_of(concept: object) -> str:
    """A concept as it is listed among what was not read."""
    said = texts(concept)
    code = next((f"{system.rsplit('/', 1)[-1].rsplit(':', 1)[-1]} {code}" for system, code in codings(concept)), "")
    return " ".join(part for part in (code.strip(), f"'{said[0]}'" if said else "") if part)


class Codes:
    """Meanings of concepts by one mapping; remembers what it was asked, and what was read by a code from memory."""

    def __init__(self, mapping: TableMapping) -> None:
        self.mapping = mapping
        self.memory: Counter[str] = Counter()
        self.by_text: Counter[str] = Counter()
        self.own = {(system_of(system), code): name for (system, code), name in mapping.codes.items()}
        self._known: dict[tuple[object, ...], tuple[Meaning, str, str]] = {}

    def meaning(
        self, concept: object, place: str = "", *, unit: str = "", value: str = "", prefix: bool = False
    ) -> Meaning:
        """What a concept means.

        Parameters
        ----------
        concept : object
            A CodeableConcept.
        place : str
            The kind of resource or category where it stands.
        unit, value : str
            What stands beside it; they point to what a concept may be that is not known.
        prefix : bool
            Whether the beginning of a code is enough (ICD-10).
        """
        said, coded = texts(concept), tuple(codings(concept))
        key = (coded, tuple(said), place, prefix)
        if key not in self._known:
            self._known[key] = self._find(concept, coded, said, place, prefix)
        meaning, mark, text = self._known[key]
        if mark == "M":
            self.memory[meaning.name] += 1
        if text:
            self.by_text[meaning.name] += 1
        if meaning.name or meaning.why or meaning.unread or not (said or coded):
            return meaning
        return meaning._replace(unread=_pointed(coded, said, place, unit, value))

    def _find(
        self, concept: object, coded: tuple[tuple[str, str], ...], said: list[str], place: str, prefix: bool
    ) -> tuple[Meaning, str, str]:
        label = label_of(concept)
        for pair in coded:
            if pair in self.own:
                return Meaning(self.own[pair], label=label), "", ""
        slips = [code for system, code in coded if mistyped(system, code)]
        hits = [hit for system, code in coded if (hit := _coded(system, code, prefix)) is not None]
        refused = [why for system, code in coded if (why := _refused(system, code))]
        found = {str(hit["to"]) for hit in hits}
        if len(found) > 1 or (found and refused):
            told = "its codes contradict each other"
            return Meaning(unread=tuple(sorted(found & set(all_analytes()))), why=told, label=label), "", ""
        if hits:
            return _meaning(hits[0], label), str(hits[0].get("mark", "")), ""
        if refused:
            return Meaning(why=refused[0], label=label), "", ""
        for system, code in coded:
            if code in book()["unread"].get(system, {}):
                one = book()["unread"][system][code]
                return Meaning(unread=(str(one["to"]),), why=str(one["why"]), label=label), "", ""
            if code in book()["panels"].get(system, {}):
                return Meaning(why="a panel", label=label), "", ""
        if place not in (DRUG, PROCEDURE, DEVICE) and any(_elsewhere(text) for text in said):
            return Meaning(why="another specimen or quantity", label=label), "", ""
        if place == DRUG and any(_by_other_route(text) for text in said):
            return Meaning(why="given by a route that does not act on the whole body", label=label), "", ""
        spoken = [*(_named(system, code) for system, code in coded), *said]
        if place in (DRUG, PROCEDURE) and (product := next((p for text in said if (p := _product(text))), "")):
            return Meaning(INFUSION, product=product, label=label), "", said[0]
        if place == DRUG and any(_in_mixture(text) for text in said):
            return Meaning(why="a vasopressor in a mixture: not an infusion of it", label=label), "", ""
        for text in (one for one in spoken if one):
            name = _drug(text) if place == DRUG else names.find_name(text, self.mapping.names)
            if place in (PROCEDURE, DEVICE) and name not in given() and name not in names.FACTS:
                continue
            if name and not slips:
                return Meaning(name, label=label), "", text if text in said else ""
        return self._unknown(coded, said, slips, place, label), "", ""

    def _unknown(
        self, coded: tuple[tuple[str, str], ...], said: list[str], slips: list[str], place: str, label: str
    ) -> Meaning:
        """A concept of which no code and no text is known: what a slip hides, or what a local code spells."""
        if slips:
            right = [hit for code in slips if (hit := _entries("loinc").get(f"{code[:-1]}{loinc_digit(code[:-2])}"))]
            maybe = [str(hit["to"]) for hit in right] + [names.find_name(text) for text in said]
            unread = [name for name in maybe if name in all_analytes()] or [n for t in said for n in points_to(t)]
            why = "a typing error: its check digit is wrong"
            return Meaning(unread=tuple(dict.fromkeys(unread)), why=why, label=label)
        for text in _local(coded):
            name = _drug(text) if place == DRUG else names.find_name(text, self.mapping.names)
            if name and not any(letter.isdigit() for letter in text):
                return Meaning(name, label=label)
        return Meaning(label=label)


def _local(coded: tuple[tuple[str, str], ...]) -> list[str]:
    """Codes of a house of its own, which may be words."""
    return [code for system, code in coded if system not in (*KINDS, "icd10cm") and len(code) >= SHORTEST]


def _pointed(coded: tuple[tuple[str, str], ...], said: list[str], place: str, unit: str, value: str) -> tuple[str, ...]:
    """Analytes that a concept may be which is not known; the words of a public code say by themselves what it is."""
    public = any(system in KINDS or system == "icd10cm" for system, _ in coded)
    where = "" if place == DRUG and public and said else place
    asked = [*said, *_local(coded)] or [code for _, code in coded]
    if (public and said and place not in (PROCEDURE, DEVICE)) or (unit and _NUMBER.fullmatch(value)):
        value = ""  # the words or the unit say more than a number does
    found = [name for text in asked for name in points_to(text, unit, value, where)]
    if place in (DRUG, PROCEDURE, DEVICE):
        found = [name for name in found if name in given()]
    return tuple(name for name in dict.fromkeys(found) if not (public and _of_other_kind(name, unit)))


def _of_other_kind(name: str, unit: str) -> bool:
    """Whether a unit is known, and none of an analyte: a width of distribution in fL is no count of platelets."""
    try:
        line_of(name, unit)
    except InputError:
        return bool(unit) and units.is_unit(unit)
    return False


def _coded(system: str, code: str, prefix: bool) -> Mapping[str, Any] | None:
    """The entry of a code that is read; None where it is not known."""
    if system == LOCAL:
        return {"to": code} if code in all_analytes() or code in names.FACTS else None
    if not system and _LOINC.fullmatch(code) and not mistyped("loinc", code):
        system = "loinc"  # the form of LOINC codes is theirs alone
    if system not in (*KINDS, "icd10cm"):
        return None
    known = _entries(system)
    if system == "ndc":
        return known.get(_labeler_and_product(code))
    forms = [code, *(code[:n] for n in range(len(code) - 1, 2, -1))] if prefix else [code]
    return next((known[form] for form in forms if form in known), None)


def _labeler_and_product(code: str) -> str:
    """The part of an NDC that names the product, filled with zeros: 0078-0846-19 and 00078084619 are 00078-0846."""
    parts = code.split("-")
    if len(parts) in (2, 3) and all(part.isascii() and part.isdigit() for part in parts):
        return f"{int(parts[0][:9]):05d}-{int(parts[1][:9]):04d}"
    return f"{code[:5]}-{code[5:9]}" if code.isascii() and code.isdigit() and len(code) == 11 else code


def _refused(system: str, code: str) -> str:
    one = book()["refused"].get(system, {}).get(code)
    return str(one["why"]) if one else ""


def _named(system: str, code: str) -> str:
    """The name of a known code that other words of a record have too."""
    form = _labeler_and_product(code) if system == "ndc" else code
    return str(book()["named"].get(system, {}).get(form, {}).get("name", ""))


def _meaning(entry: Mapping[str, Any], label: str) -> Meaning:
    return Meaning(
        str(entry["to"]), str(entry.get("value", "")), str(entry.get("unit", "")), str(entry.get("bound", "")),
        bool(entry.get("second")), bool(entry.get("positive")), str(entry.get("product", "")),
        str(entry.get("say", "")), label=label,
    )  # fmt: skip


def _elsewhere(text: str) -> bool:
    """Whether a text names a specimen that is not blood, serum or plasma."""
    form = f" {names.normal(text)} "
    return any(f" {word} " in form for word in book()["specimens"]["other"]) and not names.find_name(text)


def _by_other_route(text: str, kind: str = "other") -> bool:
    """Whether a text names a route or form of a kind; of short words the whole word."""
    form = f" {names.normal(text)} "
    return any(f" {word}" in form if len(word) > SHORTEST else f" {word} " in form for word in book()["routes"][kind])


def other_route(concept: object, *, infused: bool) -> bool:
    """Whether a route of giving a drug is known not to act on the whole body, or is none of an infusion."""
    kinds = ("other", "not_infused") if infused else ("other",)
    codes = book()["routes"]["codes"]
    coded = any(system == "snomed" and codes.get(code) in kinds for system, code in codings(concept))
    return coded or any(_by_other_route(text, kind) for text in texts(concept) for kind in kinds)


def other_specimen(*concepts: object) -> bool:
    """Whether a specimen is known not to be blood, serum or plasma."""
    return any(_elsewhere(text) for one in concepts for text in texts(one))


@cache
def given() -> frozenset[str]:
    """Analytes that are given or done: drugs, infusions and supports; a laboratory value never is."""
    return frozenset(n for n, one in all_analytes().items() if one.kind in ("treatment", "support"))


def _drug(text: str) -> str:
    """The drug that a text names among strengths and forms, as in "20 ML tocilizumab 20 MG/ML Injection [Actemra]"."""
    words = names.normal(text).split()
    found: list[str] = []
    for size in range(min(LONGEST, len(words)), 0, -1):
        for at in range(len(words) - size + 1):
            form = " ".join(words[at : at + size])
            name = names.find_name(form) if len(form) > SHORTEST or len(words) == 1 else ""
            if name in given() or (name in names.FACTS and size == len(words)):
                found.append(name)
    kinds = list(dict.fromkeys(found))
    return kinds[0] if len(kinds) == 1 else ""


def _in_mixture(text: str) -> bool:
    """Whether a text names a vasopressor beside another drug, as in a local anesthetic."""
    return _drug(text) in book()["infusions"]["analytes"] and _MIXTURE.search(text) is not None


@cache
def _product(text: str) -> str:
    """The card of the CAR-T product that a text names."""
    form = f" {names.normal(text)} "
    return next((c for c, known in book()["products"].items() if any(f" {word} " in form for word in known)), "")
