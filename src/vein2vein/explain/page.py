"""A patient's own path in plain words, to read and to print: one self-contained HTML file in one of eight languages."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

from vein2vein import __version__
from vein2vein.errors import InputError
from vein2vein.explain import facts
from vein2vein.explain.calendar import calendar_of
from vein2vein.explain.languages import Catalog, Said, Words, find_language
from vein2vein.files import check_target, write_text
from vein2vein.journey.journey import Journey
from vein2vein.report import page
from vein2vein.report.look import font
from vein2vein.report.look import words as words_of_style
from vein2vein.therapy.patient import Patient
from vein2vein.therapy.product import Product
from vein2vein.therapy.targets import check_targets, told_of

EARLIEST, LATEST = datetime.date(2010, 1, 1), datetime.date(2100, 12, 31)  # of an infusion
DAYS_IN_WEEK = 7
TEMPLATES = Path(__file__).with_name("templates")
SIMPLE = (5, 95)  # per cent: between them a share is also told as so many of ten


def read_date(text: str | None) -> datetime.date | None:
    """Read a date such as 2027-01-10; None stays None.

    Raises
    ------
    InputError
        It is no date of the calendar, or no year in which anybody is infused.
    """
    if text is None:
        return None
    try:
        day = datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"found the infusion date '{text}', expected year-month-day such as 2027-01-10.", field="infusion-date"
        ) from None
    if not EARLIEST <= day <= LATEST:
        raise InputError(
            f"found the infusion date {day}, expected a day from {EARLIEST} to {LATEST}.", field="infusion-date"
        )
    return day


def write_explanation(
    patient: Patient,
    product: Product,
    path: str | Path,
    *,
    language: str = "en",
    spread: Journey | facts.Simulated | None = None,
    seed: int = 1,
    infusion_date: str | None = None,
    calendar: bool = False,
    name: str = "",
    force: bool = False,
) -> Path:
    """Write a patient's own path in plain words as an HTML file made to print.

    Parameters
    ----------
    patient : Patient
        n = 1.
    product : Product
    path : str or Path
        Written whole or not at all.
    language : str
        Code, English name or own name.
    spread : Journey or Simulated, optional
        Companions who share what is known of this patient; without it only published rates are told, and where the
        model was never compared with a study of this product and disease.
    seed : int
        Of the companions, for the last lines of the page.
    infusion_date : str, optional
        Such as 2027-01-10; the plan then shows dates.
    calendar : bool
        Add a calendar of the plan (with a date) and what to pack.
    name : str
        Of the patient, for the head of the page and the wallet card; "" leaves a line to write it on.
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Unknown language, a date that is none, a file that exists, a folder that does not.
    """
    target = check_target(path, force=force)
    text = explanation_page(
        patient, product, language=language, spread=spread, seed=seed, infusion_date=infusion_date, calendar=calendar,
        name=name,
    )  # fmt: skip
    return write_text(target, text, force=force)


def explanation_page(
    patient: Patient,
    product: Product,
    *,
    language: str | Catalog = "en",
    spread: Journey | facts.Simulated | None = None,
    seed: int = 1,
    infusion_date: str | None = None,
    calendar: bool = False,
    name: str = "",
) -> str:
    """Return the page as HTML text; see ``write_explanation``."""
    told = told_on_page(
        patient, product, language=language, spread=spread, seed=seed, infusion_date=infusion_date, calendar=calendar,
        name=name,
    )  # fmt: skip
    return page.fill("explain.html.j2", folder=TEMPLATES, **told, color=words_of_style("color"), font=font())


def told_on_page(
    patient: Patient,
    product: Product,
    *,
    language: str | Catalog = "en",
    spread: Journey | facts.Simulated | None = None,
    seed: int = 1,
    infusion_date: str | None = None,
    calendar: bool = False,
    name: str = "",
) -> dict[str, Any]:
    """What the page tells, by the names of its template: for pages of another form, too. See ``write_explanation``."""
    if patient.count != 1:
        raise ValueError(f"the page is of one patient; found {patient.count}")
    catalog = find_language(language) if isinstance(language, str) else language
    words, day_zero = Words(catalog, child=facts.is_child(patient)), read_date(infusion_date)
    plan, (_, disease) = facts.timing(patient, product), facts.use_of(patient, product)
    check_targets(product, disease, told_of(patient), remedy="")
    checked = facts.comparable(patient, product)
    spread = spread if checked and facts.weight_known(patient) else None  # doses, and so the model, go by weight
    lines = facts.chances(product, disease, spread)
    companions = (
        spread.companions if isinstance(spread, facts.Simulated) else 0 if spread is None else len(spread.infused)
    )
    return dict(
        t=words,
        catalog=catalog,
        name=visible(name),
        treatment=treatment_of(product),
        disease=words.name(disease.name, visible(disease.title)),
        age=words.number(float(patient.age[0])),
        weight=words.number(float(patient.weight[0])) if facts.weight_known(patient) else None,
        date=None if day_zero is None else words.date(day_zero),
        approved=facts.approved(patient, product),
        assumed=not _all_known(patient),
        steps=steps(words, plan, disease.lineage, day_zero),
        groups=groups(words, lines, disease.lineage, facts.numbers().get("groups", "order")),
        long=groups(words, lines, disease.lineage, facts.numbers().get("groups", "long")),
        checked=checked,
        companions=companions,
        seed=seed,
        warnings=warnings(words, product),
        rules=times_of_the_label(words, plan, driving=facts.may_drive(patient)),
        celsius=words.number(plan.rules["fever"].value),
        fahrenheit=words.number(plan.rules["fever"].value * 9 / 5 + 32),
        years=int(plan.rules["follow_up"].value),
        studied=any(line.published for line in lines),
        sources=facts.bibliography(lines, plan.rules.values()),
        version=__version__,
        more=calendar,
        calendar=calendar_of(words, plan, day_zero) if calendar and day_zero is not None else None,
    )


def treatment_of(product: Product) -> str:
    """A product as the pages call it."""
    return visible(f"{product.title} ({product.brand})" if product.brand else product.title)


def warnings(words: Words, product: Product) -> list[Said]:
    """The boxed warnings of the label in plain words; one without plain words as the card has it, in English."""
    plain, others = facts.plain_warnings(product)
    return [*(words(f"warn_{name}") for name in plain), *(words.name(visible(one)) for one in others)]


def times_of_the_label(
    words: Words, plan: facts.Timing, *, driving: bool
) -> list[tuple[Said, Said | None, list[Said]]]:
    """How long the label asks for what: (text, length, notes).

    Where the label in force is not known or gives no length (None), that of the others stands in the notes.
    """
    usual = facts.usual_times()
    found: list[tuple[Said, Said | None, list[Said]]] = []
    for key, name in (("near_rule", "near"), ("daily_rule", "daily"), ("drive_rule", "driving")):
        if name == "driving" and not driving:
            continue
        rule = plan.rules[name]
        notes: list[Said] = []
        if not math.isfinite(rule.value):
            found.append(
                (words(f"{key}_none"), None, [words("other_labels", length=_length(words, usual[name].value))])
            )
            continue
        if rule.mark == "M":
            notes.append(words("unverified"))
            if rule.value != usual[name].value:
                notes.append(words("other_labels", length=_length(words, usual[name].value)))
        found.append((words(key), _length(words, rule.value), notes))
    return found


def visible(text: str) -> str:
    """A title without signs that nobody sees, such as those that turn the direction of what follows."""
    return "".join(letter for letter in text if letter.isprintable())


def _all_known(patient: Patient) -> bool:
    from vein2vein.therapy.disease import FIELDS

    return set(FIELDS) <= patient.known


def _length(words: Words, days: float) -> Said:
    weeks, rest = divmod(int(days), DAYS_IN_WEEK)
    return words.plural("days", int(days)) if rest or not weeks else words.plural("weeks", weeks)


def steps(words: Words, plan: facts.Timing, lineage: str, day_zero: datetime.date | None) -> list[dict[str, Any]]:
    """The steps of the path: title, text, and when each comes (first line, then smaller lines)."""
    rules = plan.rules
    daily, near = int(rules["daily"].value), int(rules["near"].value)
    check = rules["first_check"].value
    drugs = [words.name(name) for name in plan.drugs]
    while len(drugs) > 1:
        drugs[:2] = [words("and", first=drugs[0], last=drugs[1])]
    dated: list[tuple[str, list[Said], dict[str, Any]]] = [
        ("referral", [words("before_collection")], {}),
        ("collection", _collection(words, plan, day_zero), {}),
        ("making", [words("while_waiting")], {}),
        ("bridging", [words("while_waiting")], {}),
        (
            "chemo",
            [
                words("days_to", first=_signed(plan.chemo_first), last=_signed(plan.chemo_last)),
                words.plural("days_before", round(-plan.chemo_first)),
                *_dates(words, day_zero, plan.chemo_first, plan.chemo_last),
            ],
            {"drugs": drugs[0] if drugs else ""},
        ),
        ("infusion", [words("day_zero"), *_dates(words, day_zero, 0)], {}),
        *(("second", [words("day_n", day=f"{day:g}"), *_dates(words, day_zero, day)], {}) for day in plan.infusions),
        ("watch", [words("days_to", first="1", last=f"{daily}"), *_dates(words, day_zero, 1, daily)], {}),
        ("near", [words("days_to", first="1", last=f"{near}"), *_dates(words, day_zero, 1, near)], {}),
        ("check", [words("day_n", day=f"{check:g}"), *_dates(words, day_zero, check)], {}),
        ("visits", [words("month_visits", months=words.series(plan.visits))], {}),
        (
            "long",
            [words.plural("to_years", int(rules["follow_up"].value)), *_last_year(words, day_zero, rules)],
            {"years": int(rules["follow_up"].value), "exam_years": int(rules["exams"].value)},
        ),
    ]
    return [
        {
            "title": words(f"step_{key}"),
            "text": words(f"step_check_{lineage}" if key == "check" else f"step_{key}_text", **values),
            "when": when,
        }
        for key, when, values in dated
    ]


def _signed(day: float) -> str:
    return f"{day:g}".replace("-", "−")


def _collection(words: Words, plan: facts.Timing, day_zero: datetime.date | None) -> list[Said]:
    if plan.collection is None:
        low, middle, high = (round(days / DAYS_IN_WEEK) for days in plan.collection_law)
        return [words.plural("about_weeks_before", middle, low=low, high=high)]
    days = -plan.collection
    weeks = round(days / DAYS_IN_WEEK)
    near = words.plural("days_before", round(days)) if days < 2 * DAYS_IN_WEEK else words.plural("weeks_before", weeks)
    return [words("day_n", day=_signed(plan.collection)), near, *_dates(words, day_zero, plan.collection)]


def _dates(words: Words, day_zero: datetime.date | None, *days: float) -> list[Said]:
    if day_zero is None:
        return []
    found = [words.date(day_zero + datetime.timedelta(days=round(day))) for day in days]
    return [found[0] if len(set(found)) == 1 else words.between(*found)]


def _last_year(words: Words, day_zero: datetime.date | None, rules: Any) -> list[Said]:
    if day_zero is None:
        return []
    year = day_zero.year + int(rules["follow_up"].value)
    return [words("until_year", year=str(year))]


def groups(words: Words, lines: list[facts.Line], lineage: str, order: list[str]) -> list[dict[str, Any]]:
    """What may happen: for each group its title, explanation and lines (label, study, model, tenths, source)."""
    found: list[dict[str, Any]] = []
    for group in order:
        mine = [line for line in lines if line.group == group]
        if not any(line.published or line.simulated for line in mine):
            continue
        told = [_told(words, line) for line in mine if line.published or line.simulated]
        title = words(f"event_{group}")
        if line_years := {line.published.years for line in mine if line.published and line.published.years}:
            title = words("title_with_time", title=title, time=words.plural("after_years", line_years.pop()))
        key = f"event_response_{lineage}" if group == "response" else f"event_{group}_text"
        text = words(key) if key in words.english.text else ""
        found.append({"title": title, "text": text, "lines": told})
    return found


def _told(words: Words, line: facts.Line) -> dict[str, Any]:
    rate, share = line.published, line.simulated
    told: dict[str, Any] = {"label": words(line.label) if line.label else "", "study": "", "model": "", "tenths": {}}
    if rate is not None:
        told["study"] = words.plural(f"study_{rate.who}", rate.n, share=_share(words, rate.percent))
        told["tenths"]["study"] = _tenths(rate.percent)
    if share is not None:
        told["model"] = words(
            "model_line", share=_share(words, share.percent), low=round(share.low), high=round(share.high)
        )
        told["tenths"]["model"] = _tenths(share.percent)
    return told


def _share(words: Words, percent: float) -> Said:
    low, high = SIMPLE
    of_hundred = round(percent)
    if low <= percent <= high:
        return words("of_ten", tenths=_tenths(percent), percent=of_hundred)
    return words("of_hundred", percent=of_hundred)


def _tenths(percent: float) -> int:
    return int(round(percent) / 10 + 0.5)
