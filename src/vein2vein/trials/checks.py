"""What speaks against running a trial as its file says: each fault with file, line and the way to mend it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from vein2vein.cards import Card
from vein2vein.clinic.words import lineage_words
from vein2vein.errors import InputError, unknown
from vein2vein.journey.outcome import READOUT
from vein2vein.randomness import SMALLEST
from vein2vein.therapy.disease import Disease, population_laws, same_unit, unit_of
from vein2vein.therapy.infusion import check_dose, read_requested_dose
from vein2vein.therapy.laws import Law, draw, quantile
from vein2vein.therapy.patient import limits_of
from vein2vein.therapy.product import Product
from vein2vein.therapy.visits import Plan
from vein2vein.therapy.waiting import law_fault
from vein2vein.trials.arms import Arm
from vein2vein.trials.comparison import NOT_EVALUATED
from vein2vein.trials.endpoints import between_arms
from vein2vein.trials.endpoints.measures import KINETIC, OF_READOUT
from vein2vein.trials.published import LONGEST, Published, day_of, number_of
from vein2vein.trials.virtual_patients import draw_patients

DRAWN = 1000  # patients drawn to see whether laws and doses are possible
NEARLY_ALL = (0.01, 0.99)  # shares of the drawn patients
MOST_COUNTED = 10_000  # of a poisson law
HIGHEST_NAME = 100  # characters
_BY_DAY = ("day", "landmark", "response_by", "until", "within", "from_day")  # arguments of endpoints: days
_OF_RESPONSE = ("responded", "best_response", "mrd_negative", "relapse_by_mrd", "ongoing_response", "relapsed")
_OF_MARROW = ("mrd_negative", "relapse_by_mrd")
_NO_MEDIAN = ("not reached", "nr", "ne", "not estimable", "not evaluable")
_OF_BLASTS = ("marrow_blasts", "relapse_by_burden")


def check_names(card: Card) -> None:
    """Refuse a name that cannot stand in a heading or name a folder."""
    named = [("trial", "name"), ("trial", "title")]
    named += [("arms", str(i), key) for i in range(len(card.tables("arms"))) for key in ("name", "title")]
    named += [("published", str(i), "quantity") for i in range(len(card.tables("published")))]
    for path in named:
        text = card.string(*path, default=None)
        if text is None:
            continue
        if not text.strip() or len(text.splitlines()) != 1:
            raise card.error(path, f"found {text[:HIGHEST_NAME]!r}, expected one line of text that is not empty.")
        if path[-1] == "name" and len(text) > HIGHEST_NAME:
            raise card.error(path, f"found {len(text)} characters, expected a name of at most {HIGHEST_NAME}.")


def check_values(card: Card) -> None:
    """Refuse a row without its value: it may be predicted, and nothing stands beside what is simulated.

    A median that was not reached is said in words, and is no number.
    """
    for i, row in enumerate(card.tables("published")):
        if str(row.get("value", "")).strip().casefold().replace("_", " ") in _NO_MEDIAN:
            text = (
                f"found '{row['value']}', expected a number; a median that was not reached has none: give the share "
                'without an event at a time instead (unit = "%" with time), or leave the row out.'
            )
            raise card.error(("published", str(i), "value"), text)
        if "value" not in row:
            text = "missing; add the line 'value = ...', or have the row predicted: vein2vein predict."
            raise card.error(("published", str(i), "value"), text)


# Patients and doses


def check_population(
    card: Card, disease: Disease, laws: Mapping[str, Law], product: Product, dose: str, end: float, *path: str
) -> None:
    """Refuse laws that give impossible patients, and a dose that no label or trial comes near.

    Parameters
    ----------
    card : Card
    disease : Disease
    laws : mapping of str to Law
        The trial's own, with those of the arm over them.
    product : Product
    dose : str
        "" for the product's rule.
    end : float
        Day on which follow-up ends.
    path : str
        Table that gives the dose: ``trial``, or ``arms`` and the place of the arm.
    """

    def place(name: str, *key: str) -> tuple[str, ...]:
        own = (*path, "population", name)
        return (*own, *key) if card.get(*own) is not None else ("population", name, *key)

    usual = population_laws(disease)
    for name, law in laws.items():
        expected = usual[name].unit if name in usual else unit_of(name)
        if law.unit and not same_unit(law.unit, expected):
            shown = f"'{expected}'" if expected else "no unit"
            text = f"found '{law.unit}', expected {shown}; give the numbers of this law in that unit."
            raise card.error(place(name, "unit"), text)
        if law.kind == "poisson" and law.numbers["high"] > MOST_COUNTED:
            text = f"found {law.numbers['high']:g}, expected a largest count of {MOST_COUNTED:g} at most."
            raise card.error(place(name, "high"), text)
        of = law.numbers.get("of")
        if of is not None and (of == name or of not in usual):
            text = f"found '{of}', expected another field, such as weight or lymphocytes."
            raise card.error(place(name, "of"), text)
    try:
        values = draw(population_laws(disease, dict(laws)), np.arange(DRAWN), seed=0)
    except ValueError as problem:
        own = next((name for name in laws if laws[name].kind in ("by_age", "share_of", "blasts_of_burden")), "")
        text = f"{problem}; a law may not lean on itself."
        raise card.error(place(own) if own else ("population",), text) from None
    for name in laws:
        low, high = limits_of(name)
        least, most = np.quantile(values[name], NEARLY_ALL)
        if not (least >= low and most <= high):
            text = (
                f"gives nearly all patients {least:.4g} to {most:.4g} {laws[name].unit}".rstrip()
                + f", expected {low:g} to {high:g}; change its numbers, or give it low and high."
            )
            raise card.error(place(name), text)
        lowest = float(quantile(laws[name], np.full(DRAWN, SMALLEST), values).min())
        if not lowest >= 0:
            text = (
                f"reaches {lowest:.4g} {unit_of(name)}".removesuffix(" 1")
                + " in some patients, expected 0 or more; change its numbers, or give it low = 0."
            )
            raise card.error(place(name), text)
    if dose:
        try:
            refuse_dose(dose, product, disease, laws, end)
        except InputError as problem:
            at = (*path, "dose") if card.get(*path, "dose") is not None else ("trial", "dose")
            raise card.error(at, problem.text) from None


def refuse_dose(dose: str, product: Product, disease: Disease, laws: Mapping[str, Law], end: float) -> None:
    """Refuse a dose that no label or trial comes near, in patients of these laws followed to day ``end``; "": usual."""
    requested = read_requested_dose(dose or None)
    if requested is not None:
        check_dose(requested, draw_patients(laws, disease, np.arange(DRAWN), seed=0), product, end=end)


def check_waiting(card: Card, laws: Mapping[str, Law], *above: str) -> None:
    """Refuse a waiting time that is no number of days; ``above`` is the arm that gives it."""
    law = laws.get("vein_to_vein")
    if law is None:
        return
    here = (*above, "waiting", "vein_to_vein")
    if fault := law_fault(law, np.arange(DRAWN), LONGEST):
        raise card.error((*here, fault[0]) if fault[0] else here, fault[1])


def check_sizes(card: Card, arms: Sequence[Arm], enrolled: int) -> None:
    """Refuse arms that hold more patients than the trial."""
    total = sum(arm.size for arm in arms)
    if enrolled and total > enrolled:
        text = f"found {total:g} patients in the arms together, expected at most the {enrolled} who were enrolled."
        raise card.error(("arms", str(len(arms) - 1), "size"), text)


def check_counts(card: Card, rows: Sequence[Published], arms: Sequence[Arm], enrolled: int) -> None:
    """Refuse a row that counts more patients than there were.

    The interval of such a row would be that of a larger trial. A set of other patients is named in the row: ``trial``
    or ``arm``, as in the publication.
    """
    for i, row in enumerate(rows):
        here = ("published", str(i))
        sizes = [arm.size for arm in arms if arm.name in row.arms]
        most = sum(sizes) if sizes else enrolled or sum(arm.size for arm in arms)
        if not most or any(card.get(*here, name) for name in ("trial", "arm")):
            continue
        for name, count in (("n", row.n), ("draw", float(row.draw))):
            if count > most and card.get(*here, name) is not None:
                whose = f"in {' and '.join(row.arms)}" if sizes else "who were enrolled"
                text = (
                    f"found {count:g} patients, expected at most the {most:g} {whose}; "
                    f'of a set with other patients say so: arm = "as in the publication".'
                )
                raise card.error((*here, name), text)


# What can be seen


def check_visits(
    card: Card, plan: Plan, published: Sequence[Published], treated: tuple[Product, Disease],
    arms: Sequence[Arm], cutoffs: Mapping[str, float], accrual: float,
) -> None:  # fmt: skip
    """Refuse visits that never come, and an endpoint that the visits cannot observe.

    ``treated``: the product and disease of a trial without arms of their own.
    """
    product, disease = treated
    for name in ("disease_visits", "kinetics_samples"):
        late = [day for day in card.get("visits", name, default=[]) if day > plan.follow_up]
        if late:
            text = (
                f"found day {late[0]:g}, but follow_up ends on day {plan.follow_up:g}; leave it out or follow longer."
            )
            raise card.error(("visits", name), text)
    seen: dict[tuple[object, ...], int] = {}
    for i, row in enumerate(published):
        here = ("published", str(i))
        if (twice := seen.setdefault(_asked(row), i)) != i:
            text = (
                f"asks what line {card.line('published', str(twice))} asks already; leave one out, or let them differ."
            )
            raise card.error(here, text)
        if row.endpoint:
            _check_arms(card, row, here, arms)
            _check_days(card, plan, row, here)
            counted = [arm for arm in arms if not row.arms or arm.name in row.arms]
            _check_response(card, plan, row, here, counted, disease)
            _check_kinetics(card, plan, row, here, [arm.product for arm in counted] or [product])
            if row.cutoff and row.time is not None and row.time > cutoffs[row.cutoff] + accrual / 2:
                text = f"found day {row.time:g}, but at the cut-off '{row.cutoff}' nobody was followed so long."
                raise card.error((*here, "time"), text)


def _asked(row: Published) -> tuple[object, ...]:
    """What a row asks for, whatever was published: every field but the value and how it is scored."""
    told = ("value", "low", "high", "spread", "tolerance", "tolerance_kind", "arguments", "n")
    count = None if math.isnan(row.n) else row.n
    return (
        *(getattr(row, f.name) for f in fields(row) if f.name not in told), tuple(sorted(row.arguments.items())), count,
    )  # fmt: skip


def _check_arms(card: Card, row: Published, here: tuple[str, ...], arms: Sequence[Arm]) -> None:
    """Refuse what cannot be compared between arms, and what nobody knows of standard care."""
    names = [arm.name for arm in arms]
    if row.endpoint in between_arms.BETWEEN:
        against = str(row.arguments["against"])
        at = (*here, "against") if card.get(*here, "against") is not None else ("endpoints", "against")
        if against not in names:
            raise card.error(at, unknown("arm", against, names))
        if row.arms and (against not in row.arms or len(row.arms) < len(("one", "other"))):
            raise card.error((*here, "arms"), f"found {list(row.arms)}, expected '{against}' and the arm beside it.")
        if not row.arms:
            raise card.error((*here, "arms"), f"missing; name '{against}' and the arm that is compared with it.")
    counted = [arm for arm in arms if arm.name in row.arms]
    standard = [arm for arm in counted if arm.comparator]
    if row.endpoint in between_arms.OF_STANDARD_CARE and (not standard or len(standard) < len(counted)):
        known = ", ".join(arm.name for arm in arms if arm.comparator) or "none in this trial"
        said = f"found {list(row.arms)}" if row.arms else "missing"
        raise card.error((*here, "arms"), f"{said}; '{row.endpoint}' is of arms of standard care alone: {known}.")
    if not standard:
        return
    arm = standard[0]
    if row.endpoint not in between_arms.UNDER_STANDARD_CARE:
        known = ", ".join(between_arms.UNDER_STANDARD_CARE)
        text = (
            f"found '{row.endpoint}' of '{arm.name}', of which nothing is known under standard care; expected {known}."
        )
        raise card.error((*here, "endpoint"), text)
    if row.endpoint not in between_arms.BETWEEN and len(standard) < len(counted):
        raise card.error((*here, "arms"), f"found {list(row.arms)}: cells and standard care are not counted together.")
    if row.among != "enrolled":
        text = f"found '{row.among}', but in '{arm.name}' nobody is infused; expected 'enrolled'."
        raise card.error((*here, "among"), text)
    _check_comparator(card, row, here, arm)


def _check_comparator(card: Card, row: Published, here: tuple[str, ...], arm: Arm) -> None:
    """Refuse what the comparator of an arm did not publish."""
    comparator = arm.comparator
    if comparator is None:
        return
    if row.endpoint in between_arms.TO_EVENTS:
        event, clock = str(row.arguments.get("event", "EFS")), str(row.arguments["clock"])
        if event not in comparator.survival:
            given = ", ".join(comparator.survival)
            text = f"found '{event}', which {comparator.name} does not give; expected one of {given}."
            raise card.error((*here, "event" if "event" in row.arguments else "endpoint"), text)
        if clock != "enrolment":
            at = (*here, "clock") if card.get(*here, "clock") is not None else ("endpoints", "clock")
            raise card.error(at, f"found '{clock}', but '{arm.name}' is counted from randomization: write 'enrolment'.")
    missing = {
        **dict.fromkeys(between_arms.OF_RESPONSE, ("responses", comparator.best)),
        "crossed_over": ("crossover", comparator.crossover),
    }
    what, held = missing.get(row.endpoint, ("", comparator))
    if held is None:
        raise card.error((*here, "endpoint"), f"found '{row.endpoint}', but {comparator.name} gives no {what}.")


def _check_days(card: Card, plan: Plan, row: Published, here: tuple[str, ...]) -> None:
    end = plan.follow_up
    if row.time is not None and row.time >= end + 1:  # five years are 1826 days and a quarter
        text = f"found day {row.time:g}, but the visits end on day {end:g}; the endpoint cannot be seen."
        raise card.error((*here, "time"), text)
    for name in _BY_DAY:
        day = day_of(row, name)
        if day is not None and day >= end + 1:
            path = (*here, name) if card.get(*here, name) is not None else ("endpoints", name)
            text = (
                f"found day {day:g}, but the visits end on day {end:g}; nothing is seen then (endpoint {row.endpoint})."
            )
            raise card.error(path, text)
    first, until = number_of(row, "from_day"), number_of(row, "until", math.inf)
    if first > until:
        text = f"found {first:g}, expected a day before until, {until:g}."
        raise card.error((*here, "from_day"), text)


def unseen(endpoint: str, lineage: str, disease: str = "") -> bool:
    """Whether an endpoint needs a marrow that this disease, or one of this lineage, does not have examined."""
    return endpoint in _OF_MARROW and not lineage_words(lineage, disease).marrow


def _check_response(
    card: Card, plan: Plan, row: Published, here: tuple[str, ...], arms: Sequence[Arm], disease: Disease
) -> None:
    for one in [arm.disease for arm in arms] or [disease]:
        if unseen(row.endpoint, one.lineage, one.name):
            text = f"found '{row.endpoint}', but no marrow is examined for residual disease in {one.title}."
            raise card.error((*here, "endpoint"), text)
    counted = [arm.disease for arm in arms] or [disease]
    if row.endpoint in _OF_BLASTS and all(math.isnan(one.marrow_full) for one in counted):
        titles = " and ".join(dict.fromkeys(one.title for one in counted))
        text = f"found '{row.endpoint}', but {titles} is not counted in marrow, so nobody would count; leave it out."
        raise card.error((*here, "endpoint"), text)
    if row.endpoint not in _OF_RESPONSE:
        return
    if not plan.disease_visits:
        text = f"found '{row.endpoint}', but there is no disease visit before follow_up ends; add disease_visits."
        raise card.error((*here, "endpoint"), text)
    if not any(arm.comparator for arm in arms):  # standard care tells its own responses
        _check_categories(card, row, here, [arm.disease for arm in arms] or [disease])
    for name in ("response_by", "landmark"):
        day = day_of(row, name)
        if day is not None and day < plan.disease_visits[0]:
            path = (*here, name) if card.get(*here, name) is not None else ("endpoints", name)
            text = f"found day {day:g}, but the first disease visit is on day {plan.disease_visits[0]:g}."
            raise card.error(path, text)


def _check_categories(card: Card, row: Published, here: tuple[str, ...], diseases: Sequence[Disease]) -> None:
    """Refuse responses of which the visits of these diseases give none: nobody would have one."""
    asked = row.arguments.get("responses")
    told = [lineage_words(one.lineage, one.name) for one in diseases]
    known = {name: None for one in told for name in (*one.counts, *reversed(one.categories), NOT_EVALUATED)}
    if isinstance(asked, tuple) and asked and not set(map(str, asked)) & set(known):
        at = (*here, "responses") if card.get(*here, "responses") is not None else ("endpoints", "responses")
        titles = " and ".join(dict.fromkeys(one.title for one in diseases))
        found = ", ".join(map(str, asked))
        raise card.error(
            at, f"found {found}, which visits never give in {titles}; expected some of {', '.join(known)}."
        )


def _check_kinetics(card: Card, plan: Plan, row: Published, here: tuple[str, ...], products: Sequence[Product]) -> None:
    if row.endpoint not in KINETIC:
        return
    if len(plan.kinetics_samples) <= 1:
        text = f"found '{row.endpoint}', but the visits take fewer than two samples; add kinetics_samples to [visits]."
        raise card.error((*here, "endpoint"), text)
    followed = OF_READOUT.get(row.endpoint)
    if followed and all(READOUT[one.readout] != followed for one in products):
        (other,) = (name for name in OF_READOUT if name != row.endpoint and name.startswith(row.endpoint[:4]))
        titles = " and ".join(dict.fromkeys(one.title for one in products))
        text = (
            f"found '{row.endpoint}', but the cells of {titles} are counted by {products[0].readout}; write '{other}'."
        )
        raise card.error((*here, "endpoint"), text)
