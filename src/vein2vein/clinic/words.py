"""The words of the clinic: responses, lineages and what is graded. Data in criteria/words/*.toml, read here only.

Whoever tells a response or a grade takes its name, its order and what it counts as from these records, so that a
myeloma is never told as a leukemia and a scale is called the same on every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vein2vein.cards import Card, parse_card
from vein2vein.errors import InputError, unknown

FOLDER = Path(__file__).with_name("criteria") / "words"


@dataclass(frozen=True)
class ResponseWord:
    """One word of response, such as ``CRi``.

    Attributes
    ----------
    name : str
    complete : bool
        No disease is found.
    response : bool
        Counts as a response in some disease.
    below : bool
        Assessed, and less than a response.
    failure : bool
        Of a leukemia that reached no remission: an event of event-free survival.
    """

    name: str
    complete: bool
    response: bool
    below: bool
    failure: bool


@dataclass(frozen=True)
class Lineage:
    """How the responses of a disease are told.

    Attributes
    ----------
    name, title : str
    diseases : tuple of str
        Diseases whose entry this is; empty: every disease of the lineage that has none of its own.
    judged_by : str
        Lineage whose criteria judge the visits.
    marrow : bool
        Whether the marrow is examined for residual disease.
    categories : tuple of str
        Names of the codes of a visit, worst first.
    counts : tuple of str
        Best responses that count as success, best first.
    reached, stage, after, return_ : str
        Sentence part, headings of the flow of patients, name of the event.
    rates : tuple of str
        Published quantities that count the same.
    endpoints : tuple of str
        Times to an event that its survival is told by, besides death (OS).
    words : mapping of str to str
        What each best response is called; "" for those who were never assessed.
    """

    name: str
    title: str
    diseases: tuple[str, ...]
    judged_by: str
    marrow: bool
    categories: tuple[str, ...]
    counts: tuple[str, ...]
    reached: str
    stage: str
    after: str
    return_: str
    rates: tuple[str, ...]
    endpoints: tuple[str, ...]
    words: Mapping[str, str]

    def word(self, response: str) -> str:
        """What a best response is called in this disease."""
        return self.words.get(response, response)

    def possible(self, categories: Sequence[str]) -> tuple[str, ...]:
        """The responses that count, of those that these criteria can give, best first."""
        return tuple(name for name in self.counts if name in categories) or self.counts


@dataclass(frozen=True)
class FindingWord:
    """What a finding is called.

    Attributes
    ----------
    name : str
        Such as ``crs_astct``.
    title, label, short, ward : str
        In tables; in sentences; above a narrow column; on the ward's page.
    states : tuple of str
        Words of the codes of a finding that is no grade; empty: its codes are grades.
    simulated : bool
        Graded along every simulation.
    scale, scale_title, edition : str
        Of a scale of cytokine release syndrome: as users write it, as a ward calls it, its criteria; else "".
    spelled : tuple of str
        Other spellings of the scale.
    neurologic : tuple of str
        Findings of neurotoxicity that a ward shows beside it.
    shown : bool
        Whether a ward may ask for it.
    """

    name: str
    title: str
    label: str
    short: str
    ward: str
    states: tuple[str, ...]
    simulated: bool
    scale: str
    scale_title: str
    edition: str
    spelled: tuple[str, ...]
    neurologic: tuple[str, ...]
    shown: bool


def _card(name: str) -> Card:
    return parse_card((FOLDER / name).read_text(encoding="utf-8"), name)


# Responses


@cache
def responses() -> Mapping[str, ResponseWord]:
    """Every word of response, best first."""
    card = _card("responses.toml")

    def is_(name: str, what: str) -> bool:
        return bool(card.flag("responses", name, what, default=False))

    return {
        name: ResponseWord(name, is_(name, "complete"), is_(name, "response"), is_(name, "below"), is_(name, "failure"))
        for name in card.table("responses")
    }


def complete_responses() -> tuple[str, ...]:
    """Words of response that say that no disease is found."""
    return tuple(one.name for one in responses().values() if one.complete)


def counted_responses() -> tuple[str, ...]:
    """Words that count as a response in some disease."""
    return tuple(one.name for one in responses().values() if one.response)


def below_response() -> tuple[str, ...]:
    """Words for those who were assessed and did not respond."""
    return tuple(one.name for one in responses().values() if one.below)


def failures() -> tuple[str, ...]:
    """Words that are an event: a leukemia that reached no remission."""
    return tuple(one.name for one in responses().values() if one.failure)


@cache
def endpoint_titles() -> Mapping[str, str]:
    """What the times to an event are called."""
    return {name: str(title) for name, title in _card("responses.toml").table("endpoints").items()}


# Lineages


@cache
def lineages() -> Mapping[str, Lineage]:
    """How responses are told, by lineage or group of diseases."""
    card = _card("lineages.toml")
    return {
        name: Lineage(
            name,
            card.string(name, "title"),
            card.texts(name, "diseases"),
            card.string(name, "judged_by"),
            card.flag(name, "marrow"),
            card.texts(name, "categories"),
            card.texts(name, "counts"),
            card.string(name, "reached"),
            card.string(name, "stage"),
            card.string(name, "after"),
            card.string(name, "return"),
            card.texts(name, "rates"),
            card.texts(name, "endpoints"),
            dict(card.table(name, "words")),
        )
        for name in card.data
    }


def lineage_words(lineage: str, disease: str = "") -> Lineage:
    """Return the words for a disease: those of its own entry, else those of its lineage.

    Raises
    ------
    InputError
        No such lineage, with the nearest ones.
    """
    for one in lineages().values():
        if disease and disease in one.diseases:
            return one
    if lineage not in lineages():
        raise InputError(unknown("lineage", lineage, lineages()))
    return lineages()[lineage]


# What is graded


@cache
def findings() -> Mapping[str, FindingWord]:
    """What every finding is called, in the order of listing."""
    card = _card("scales.toml")
    found: dict[str, FindingWord] = {}
    for name in card.table("findings"):
        at = ("findings", name)
        found[name] = FindingWord(
            name,
            card.string(*at, "title"),
            card.string(*at, "label"),
            card.string(*at, "short"),
            card.string(*at, "ward"),
            card.texts(*at, "states"),
            bool(card.flag(*at, "simulated", default=False)),
            card.string(*at, "scale", default=""),
            card.string(*at, "scale_title", default=""),
            card.string(*at, "edition", default=""),
            card.texts(*at, "spelled"),
            card.texts(*at, "neurologic") or (usual_neurologic(),),
            bool(card.flag(*at, "shown", default=True)),
        )
    return found


def finding_words(name: str) -> FindingWord:
    """What one finding is called; one without words keeps its name."""
    plain = name.replace("_", " ")
    return findings().get(name) or FindingWord(name, plain, plain, plain, plain, (), False, "", "", "", (), (), True)


@cache
def crs_scales() -> Mapping[str, FindingWord]:
    """Scales of cytokine release syndrome by the name that users write, in order."""
    return {one.scale: one for one in findings().values() if one.scale}


def simulated_scales() -> tuple[str, ...]:
    """Names of the scales of cytokine release syndrome that every simulation is graded by."""
    return tuple(name for name, one in crs_scales().items() if one.simulated)


def ward_scales() -> tuple[str, ...]:
    """Names of the scales that a ward may ask for, each with its other spellings behind it."""
    shown = [one for one in crs_scales().values() if one.shown]
    return tuple(name for one in shown for name in (one.scale, *one.spelled))


def scale_named(name: str) -> str:
    """The name of a scale for any of its spellings; an unknown one comes back as it is."""
    return next((one.scale for one in crs_scales().values() if name in one.spelled), name)


@cache
def usual_crs() -> str:
    """The finding of cytokine release syndrome that advice, deaths and reports read."""
    return str(_card("scales.toml").string("usual"))


@cache
def usual_neurologic() -> str:
    """The finding of neurotoxicity that reports read."""
    return str(_card("scales.toml").string("neurologic"))


@cache
def tabled_findings() -> tuple[str, ...]:
    """Findings whose worst grades a report tables, in order."""
    return _card("scales.toml").texts("tabled")
