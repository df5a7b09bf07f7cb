"""Eligibility: the use of a product and a trial's entry limits, each met, not met or unknown, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vein2vein.cards import Card
from vein2vein.clinic.criteria import Edition, edition, editions, rows_of
from vein2vein.errors import InputError, unknown
from vein2vein.faults import shown
from vein2vein.records import by_patient
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Indication

MET, NOT_MET, UNKNOWN = 1, 0, -1
NOT_ASKED = -2  # at this age, or of this arm: neither met nor unknown
Known = Patient | Mapping[str, object]
LABEL = (("age", "at_least"), ("age", "below"), ("prior_lines", "at_least"))  # age_low, age_below, lines_low
PERFORMANCE = "performance"
_WORDS = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}


@by_patient(none=("criteria", "reads", "marks"))
@dataclass(frozen=True)
class Eligibility:
    """Which criteria each patient meets.

    Attributes
    ----------
    criteria : tuple of str
        Sentences, one for each criterion.
    met : ndarray of int8, shape (n, criteria)
        1 met, 0 not met, -1 unknown, -2 not asked of this patient.
    eligible : ndarray of int8, shape (n,)
        0 if any criterion is not met, else -1 if any is unknown, else 1.
    reads, marks : tuple of str
        The field that each criterion reads, and the provenance mark of its limit.
    """

    criteria: tuple[str, ...]
    met: NDArray[np.int8]
    eligible: NDArray[np.int8]
    reads: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskedByAge:
    """A row of criteria/asked_by_age.toml: what a criterion reads is asked from one age (years) up to below another."""

    reads: str
    mark: str
    age_low: float = 0.0
    age_below: float = np.inf
    why: str = ""


def asked_at(field: str, age: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether what a criterion reads is asked of patients of these ages (years); at an unknown age it is."""
    rows = [row for row in rows_of("asked_by_age", AskedByAge) if row.reads == field]
    outside: NDArray[np.bool_] = np.zeros(age.shape, dtype=bool)
    for row in rows:
        outside = outside | np.less(age, row.age_low) | np.greater_equal(age, row.age_below)
    return ~outside


def eligible(
    patient: Known,
    indication: Indication | None = None,
    criteria: str | Edition | Iterable[str] = (),
) -> Eligibility:
    """Judge patients by the use that a dose rule belongs to and by entry criteria; labels: ``labels.judge_labels``.

    Parameters
    ----------
    patient : Patient or mapping
        With arrays (n,) such as age and prior_lines, a disease, and ``baseline`` measurements. Of a mapping only what
        it holds is known.
    indication : Indication, optional
        The approved use of a product card.
    criteria : str or Edition or iterable of str
        Editions ``eligibility_*``, such as ``eligibility_eliana``.
    """
    rows: list[tuple[str, NDArray[np.int8]]] = []
    reads: list[str] = []
    marks: list[str] = []
    age = np.atleast_1d(np.asarray(_read(patient, "age"), dtype=float))
    n = len(age)
    if indication is not None:
        diseases = indication.diseases
        if diseases:
            fits = _read(patient, "disease") in diseases
            rows.append((f"disease: {' or '.join(diseases)}", np.full(n, MET if fits else NOT_MET, dtype=np.int8)))
            reads.append("disease")
            marks.append("label")
        limits = (indication.age_low, indication.age_below, indication.lines_low)
        for bound, (field, operator) in zip(limits, LABEL):
            if np.isfinite(bound):
                text = f"label: {field} {_WORDS[operator]} {bound:g}"
                rows.append((text, _judge(patient, n, field, operator, bound)))
                reads.append(field)
                marks.append("label")
    chosen = [criteria] if isinstance(criteria, str | Edition) else list(criteria)
    for name in chosen:
        rules = name if isinstance(name, Edition) else _entry(name)
        for level in rules.levels:
            text = f"{level.column}: {level.reads} {_WORDS[level.operator]} {level.value:g}"
            if level.times == "upper_limit":
                bound = level.value * rules.values[f"{level.reads}_upper_limit"]
                text += " times the upper limit of normal"
            else:
                bound = level.value
            judged = _judge(patient, n, level.reads, level.operator, bound)
            rows.append((text, np.where((judged == UNKNOWN) & ~asked_at(level.reads, age), NOT_ASKED, judged)))
            reads.append(level.reads)
            marks.append(level.mark)
    columns = [found for _, found in rows]
    met = np.stack(columns, axis=1).astype(np.int8) if rows else np.ones((n, 0), dtype=np.int8)
    open_ = (met == UNKNOWN) & ~_answered(rows, met)
    overall = np.where((met == NOT_MET).any(axis=1), NOT_MET, np.where(open_.any(axis=1), UNKNOWN, MET))
    return Eligibility(tuple(text for text, _ in rows), met, overall.astype(np.int8), tuple(reads), tuple(marks))


def _answered(rows: list[tuple[str, NDArray[np.int8]]], met: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Cells of criteria that a known one of the same kind answers: one scale of performance is enough."""
    scales = np.array([text.startswith(f"{PERFORMANCE}:") for text, _ in rows], dtype=bool)
    known = ((met != UNKNOWN) & (met != NOT_ASKED) & scales[None, :]).any(axis=1)
    return scales[None, :] & known[:, None]


def reasons(found: Eligibility, position: int) -> tuple[str, ...]:
    """Why a patient is not, or not surely, eligible: the criteria that are not met or unknown."""
    words = {NOT_MET: "not met", UNKNOWN: "unknown"}
    scales = [text.startswith(f"{PERFORMANCE}:") for text in found.criteria]
    answered = any(one and state >= NOT_MET for one, state in zip(scales, found.met[position]))
    return tuple(
        f"{words[int(state)]}: {text}"
        for text, state, scale in zip(found.criteria, found.met[position], scales)
        if int(state) in words and not (scale and answered and state == UNKNOWN)
    )


def to_obtain(found: Eligibility, position: int) -> tuple[str, ...]:
    """What to obtain next: the fields whose value is unknown and could decide, each once."""
    open_ = {text.removeprefix("unknown: ") for text in reasons(found, position) if text.startswith("unknown: ")}
    return tuple(dict.fromkeys(field for field, text in zip(found.reads, found.criteria) if text in open_))


@dataclass(frozen=True)
class WashoutRule:
    """A row of criteria/washouts.toml: days from the last dose to leukapheresis, by the shortest and longest rule."""

    name: str
    days: float
    days_long: float
    mark: str
    note: str = ""


@dataclass(frozen=True)
class Washout:
    """A washout before leukapheresis.

    Attributes
    ----------
    drug : str
    last_day : float
        Day of the last dose.
    ends, ends_long : float
        Day on which it is over by the shortest and by the longest rule; the sources differ.
    running : {1, 0, -1}
        1 still running on the day of leukapheresis, 0 over by every rule, -1 over by some sources only.
    mark, note : str
    """

    drug: str
    last_day: float
    ends: float
    ends_long: float
    running: int
    mark: str
    note: str


GIVEN = "last_given"  # a table of a patient's card


def last_given(card: Card) -> dict[str, float]:
    """Days from the last dose of each drug to the planned leukapheresis, as a patient's card tells them.

    Raises
    ------
    InputError
        A drug without a washout, or a number of days that cannot be: file, line and field.
    """
    if card.get(GIVEN) is None:
        return {}
    drugs = [row.name for row in rows_of("washouts", WashoutRule)]
    for name in card.table(GIVEN):
        if name not in drugs:  # the nearest by letters would be another drug: all are named
            said = (
                f"unknown field {shown(name)}, a drug whose washout is not known; expected one of "
                f"{', '.join(sorted(drugs))}. Any other drug belongs to the lines of treatment ([referral] treatments)."
            )
            raise card.error((GIVEN, name), said)
    longest = edition("washouts").values["longest_ago"]
    return {name: card.number(GIVEN, name, unit="day", low=0, high=longest) for name in card.data[GIVEN]}


def washouts(last_given: Mapping[str, float], leukapheresis: float, criteria: str = "washouts") -> tuple[Washout, ...]:
    """Washouts of what was given, those still running first.

    Parameters
    ----------
    last_given : mapping of drug to float
        Day of the last dose by the names of criteria/washouts.toml, on the clock of ``leukapheresis``.
    leukapheresis : float
        Planned day.
    criteria : str
        Edition.
    """
    rules = {row.name: row for row in rows_of(criteria, WashoutRule)}
    out: list[Washout] = []
    for drug, day in last_given.items():
        if drug not in rules:
            raise InputError(unknown("drug with a washout", drug, rules))
        row = rules[drug]
        ends, long = day + row.days, day + row.days_long
        running = 1 if leukapheresis < ends else -1 if leukapheresis < long else 0
        out.append(Washout(drug, day, ends, long, running, row.mark, row.note))
    return tuple(sorted(out, key=lambda one: ((1, -1, 0).index(one.running), -one.ends)))


def b_all_status(
    *,
    relapses: int | None = None,
    primary_refractory: bool | None = None,
    refractory_relapse: bool | None = None,
    relapse_after_transplant: bool = False,
    months_from_transplant: float = np.nan,
) -> dict[str, tuple[int, str]]:
    """Whether pediatric B-ALL is relapsed or refractory as the US label, the EU label and the trial say.

    Parameters
    ----------
    relapses : int, optional
        Number of relapses of any site; None unknown.
    primary_refractory : bool, optional
        No remission after two induction cycles.
    refractory_relapse : bool, optional
        No remission after one cycle for relapse.
    relapse_after_transplant : bool
    months_from_transplant : float
        From the transplant to the infusion.

    Returns
    -------
    dict of ``us_label``, ``eu_label``, ``trial`` to (state, reason)
        State 1 met, 0 not met, -1 unknown.
    """
    v = edition("indications").values
    if relapses == 0 and (refractory_relapse or relapse_after_transplant):
        return dict.fromkeys(("us_label", "eu_label", "trial"), (UNKNOWN, "contradictory: no relapse, and one is told"))
    if primary_refractory or refractory_relapse:
        label = MET, "refractory"
    elif relapses is not None and relapses >= v["relapses"]:
        label = MET, f"{relapses} relapses"
    elif None in (relapses, primary_refractory, refractory_relapse):
        label = UNKNOWN, "number of relapses or refractoriness unknown"
    else:
        label = NOT_MET, f"{relapses} relapse(s) and in remission after it"
    if label[0] == MET or not relapse_after_transplant:
        return {"us_label": label, "eu_label": label, "trial": label}
    transplant = MET, "relapse after transplantation"
    months = months_from_transplant
    if np.isnan(months):
        trial = UNKNOWN, "months from transplant to infusion unknown"
    elif months > v["transplant_months"]:
        trial = MET, f"{months:g} months from transplant to infusion"
    else:
        trial = NOT_MET, f"{months:g} months from transplant to infusion, not above {v['transplant_months']:g}"
    return {"us_label": label, "eu_label": transplant, "trial": trial}


def lymphoma_second_line(*, refractory: bool | None, days_to_relapse: float = np.nan) -> tuple[int, str]:
    """Whether large B-cell lymphoma qualifies after one line: refractory, or relapse within 12 months of its end."""
    limit = edition("indications").values["early_relapse_days"]
    if refractory:
        return MET, "refractory to first-line therapy"
    if np.isfinite(days_to_relapse):
        early = days_to_relapse <= limit
        return (MET if early else NOT_MET), f"relapse {days_to_relapse:g} days after the end of first-line therapy"
    return (NOT_MET, "no relapse") if refractory is False else (UNKNOWN, "refractoriness and day of relapse unknown")


def _entry(name: str) -> Edition:
    known = [e for e in editions() if e.startswith("eligibility_")]
    full = name if name.startswith("eligibility_") else f"eligibility_{name}"
    if full not in known:
        raise InputError(unknown("entry criteria", name, known))
    return edition(full)


def _read(patient: Known, name: str) -> object:
    """Field of a patient, or a baseline measurement; None where there is none."""
    field, baseline = _field(patient, name), _field(patient, "baseline")
    return field if field is not None else cast("Mapping[str, object]", baseline or {}).get(name)


def _field(patient: Known, name: str) -> object:
    return patient.get(name) if isinstance(patient, Mapping) else getattr(patient, name, None)


def _judge(patient: Known, n: int, field: str, operator: str, bound: float) -> NDArray[np.int8]:
    found = _read(patient, field)
    if found is None:
        return np.full(n, UNKNOWN, dtype=np.int8)
    values = np.broadcast_to(np.asarray(found, dtype=float), (n,))
    compare = {"at_least": np.greater_equal, "above": np.greater, "at_most": np.less_equal, "below": np.less}[operator]
    return np.where(np.isnan(values), UNKNOWN, compare(values, bound)).astype(np.int8)
