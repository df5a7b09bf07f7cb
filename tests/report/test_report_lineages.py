"""The report of small simulated trials of every lineage: each number counted again from the journey's arrays.

Nothing here calls what it checks, except for the way in which a number is printed (tested for itself).
"""

import html
import re

import numpy as np

from vein2vein.analytes import analyte
from vein2vein.journey.journey import by_arm
from vein2vein.report.text import number
from vein2vein.report.trial import trial_page
from vein2vein.therapy.release import judged_viability

MONTH = 30.4375
FAILURE_DAY = 0.1  # criteria/endpoints.toml
AFTER_REMISSION, AFTER_RESPONSE = "Relapsed after remission", "Relapsed or progressed after a response"
WORDS = {  # what each lineage counts as success, and how it is told
    "leukemia": (["CR", "CRi"], "reached remission (CR or CRi)", "In remission (CR or CRi)", AFTER_REMISSION),
    "lymphoma": (["CR", "PR"], "responded (CR or PR)", "Responded (CR or PR)", AFTER_RESPONSE),
    "myeloma": (
        ["sCR", "CR", "VGPR", "PR"],
        "responded (sCR, CR, VGPR or PR)",
        "Responded (sCR, CR, VGPR or PR)",
        AFTER_RESPONSE,
    ),
    "solid": (["CR", "PR"], "responded (CR or PR)", "Responded (CR or PR)", AFTER_RESPONSE),
}
CALLED = {
    ("leukemia", "CR"): "complete remission (CR)",
    ("leukemia", "CRi"): "complete remission with incomplete recovery of the counts (CRi)",
    ("leukemia", "NR"): "no response (NR)", ("cll", "CR"): "complete remission (CR)",
    ("cll", "PR"): "partial remission (PR)", ("myeloma", "sCR"): "stringent complete response (sCR)",
    ("myeloma", "VGPR"): "very good partial response (VGPR)", ("", "CR"): "complete response (CR)",
    ("", "PR"): "partial response (PR)", ("", "SD"): "stable disease (SD)", ("", "PD"): "progressive disease (PD)",
    ("", "MR"): "minimal response (MR)", ("", "NE"): "not evaluable (NE)",
}  # fmt: skip
SCALES = {
    "CRS, ASTCT 2019": "crs_astct", "CRS, Lee 2014": "crs_lee2014", "CRS, Penn": "crs_penn",
    "ICANS, ASTCT 2019": "icans", "Neurologic event (CTCAE-like)": "neurologic_event",
    "Neutropenia (CTCAE 5)": "neutropenia", "Thrombocytopenia (CTCAE 5)": "thrombocytopenia",
}  # fmt: skip


def test_every_number_and_word_of_the_report_of_a_lineage(real):
    """One test for each lineage, so that its trial is simulated and its page drawn once."""
    page = trial_page(real)
    for check in (
        check_the_summary_of_each_arm,
        check_a_published_rate_stands_beside_its_own_arm,
        check_the_flow_of_each_arm,
        check_the_kinetics_of_each_arm,
        check_the_grades_of_each_arm,
        check_the_survival_of_each_arm,
        check_product_and_treatments_of_those_who_share_a_disease,
        check_inflammation_and_aplasia_of_those_who_share_a_disease,
        check_the_comparison_repeats_every_row,
        check_what_is_assumed_is_counted_over_all_arms,
        check_diseases_and_products_are_all_named,
    ):
        check(real, page)


def lines(text):
    """The text of a piece of page, a line for each element."""
    return [
        " ".join(line.split()) for line in html.unescape(re.sub(r"<[^>]*>", "\n", text)).split("\n") if line.strip()
    ]


def section(page, name):
    found = page.split(f'<section><h2 id="{name}">')[1]
    return found.split("</section>")[0]


def tables(text):
    """Caption -> rows of cells, for every table in a piece of page."""
    found = {}
    for table in re.findall(r"<table.*?</table>", text, re.S):
        caption = " ".join(lines(re.search(r"<caption>(.*?)(<span>|</caption>)", table, re.S).group(1)))
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)
        found[caption] = [[" ".join(lines(c)) for c in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)] for row in rows]
    return found


def figure(page, name):
    """Title and caption of a figure, and its texts where it is a flow."""
    found = re.search(rf'<figure id="figure-{name}">(.*?)</figure>', page, re.S).group(1)
    title, caption = re.search(r"<strong>(.*?)</strong><span>(.*?)</span>", found, re.S).groups()
    return (
        html.unescape(title),
        html.unescape(caption),
        [html.unescape(t) for t in re.findall(r"<text.*?>(.*?)</text>", found)],
    )


def arms(real):
    """(id, title, lineage, disease, rows) of each arm."""
    journey = real.journey
    for place, facts in enumerate(journey.arms):
        rows = np.flatnonzero(journey.arm == place)
        title = next((arm.title for arm in real.trial.arms if arm.name == facts.name), "")
        suffix = f"-{facts.name}" if len(journey.arms) > 1 else ""
        if rows.size:
            yield suffix, title[:1].upper() + title[1:], facts.disease.lineage, facts.disease.name, rows


def share(part, whole):
    return "–" if not whole else f"{100 * part / whole:.0f} %"


def called(lineage, disease, response):
    own = "cll" if disease == "cll" else lineage
    return CALLED.get((own, response)) or CALLED["", response]


def kaplan_meier(time, event, at):
    """Survival at a time by the product-limit formula, written out."""
    left = 1.0
    for day in sorted(set(time[event & (time <= at)])):
        left *= 1 - (event & (time == day)).sum() / (time >= day).sum()
    return left


def times(journey, rows, endpoint, clock="infusion"):
    """Time and event of OS, PFS or EFS of some patients, from the definitions."""
    out, infused = journey.outcome, journey.infused[rows]
    best, death, last = out.best_response[rows], out.death_day[rows], out.last_day[rows]
    back = np.minimum(out.relapse_day, out.progression_day)[rows]
    end = np.minimum(death, last)
    day = death if endpoint == "OS" else np.minimum(back, death)
    if (
        endpoint == "EFS"
    ):  # no remission counts from the infusion, once a visit has been due; never infused counts as that too
        judged = np.where(np.isfinite(death), end >= 28, end >= 100)
        failed = np.isin(best, ["NR", "NE", "MLFS"]) & judged & infused
        day = np.where(infused, np.where(failed, FAILURE_DAY, day), np.minimum(np.minimum(FAILURE_DAY, end), day))
    if endpoint == "PFS":  # without infusion other therapy begins on the day planned for it
        end = np.where(infused, end, np.minimum(end, 0.0))
    start = np.zeros(len(rows)) if clock == "infusion" else out.enrolment_day[rows]
    there = infused if clock == "infusion" else np.ones(len(rows), dtype=bool)
    event = np.isfinite(day) & (day <= end)
    return (np.where(event, day, end) - start)[there], event[there]


def check_the_summary_of_each_arm(real, page):
    journey, told = real.journey, lines(page.split('<div class="summary">')[1].split("</div>")[0])
    enrolled, infused = journey.count, int(journey.infused.sum())
    assert told[0] == f"{enrolled} virtual patients were enrolled and {infused} infused ({share(infused, enrolled)})."
    every = list(arms(real))
    text = " ".join(told)
    for _, title, lineage, disease, rows in every:
        there = rows[journey.infused[rows]]
        best = journey.outcome.best_response[there]
        success, reached, _, _ = WORDS[lineage]
        hit = int(np.isin(best, success).sum())
        sentence = f"{hit} of {there.size} infused patients {reached}: {share(hit, there.size)}"
        own = next(line for line in told if line.startswith(f"{title} (")) if len(every) > 1 else text
        assert sentence in own
        if len(every) > 1:
            assert own.startswith(f"{title} ({rows.size} enrolled): ")
        kinds = [(name, int((best == name).sum())) for name in success if (best == name).any()]
        if len(kinds) > 1:
            said = ", ".join(f"{count} {called(lineage, disease, name)}" for name, count in kinds)
            assert f"Best responses: {said}." in own
        days = journey.course.days
        end = np.minimum(journey.outcome.death_day, journey.outcome.last_day)[there]
        early = (days[None, :] >= 0) & (np.floor(days)[None, :] <= 28) & (np.floor(days)[None, :] <= end[:, None])
        crs, icans = (
            np.where(early, journey.findings[name].grade[there], 0).max(axis=1, initial=0)
            for name in ("crs_astct", "icans")
        )
        assert (
            f"CRS (ASTCT) of any grade occurred in {share((crs > 0).sum(), there.size)}, grade 3 or higher in "
            f"{share((crs >= 3).sum(), there.size)}; ICANS of any grade in {share((icans > 0).sum(), there.size)}."
        ) in own


def check_a_published_rate_stands_beside_its_own_arm(real, page):
    """The headline of a disease takes the published figure of that disease, and never of another arm."""
    text = " ".join(lines(page.split('<div class="summary">')[1].split("</div>")[0]))
    rates = {"leukemia": "CR_CRi_rate"}
    for _, title, lineage, _, _ in arms(real):
        arm = next((a.name for a in real.trial.arms if a.title.lower() == title.lower()), "")
        own = [
            row for row in real.trial.published
            if row.quantity == rates.get(lineage, "ORR") and (row.arms == (arm,) if arm else not row.arms)
        ]  # fmt: skip
        part = text.split(f"{title} (")[1].split("survival")[0] if arm else text
        headline = part.split("infused patients")[1].split(".  ")[0].split("Best responses")[0].split("CRS")[0]
        assert ("published" in headline) == bool(own)
        if own:
            assert any(f"published {number(row.value)} %" in headline for row in own)


def check_the_flow_of_each_arm(real, page):
    journey = real.journey
    for suffix, _, lineage, disease, rows in arms(real):
        _, _, texts = figure(page, f"flow{suffix}")
        out, there = journey.outcome, rows[journey.infused[rows]]
        best, (success, _, stage, after) = out.best_response[there], WORDS[lineage]
        hit = np.isin(best, success)
        assert f"Enrolled: {rows.size}" in texts
        assert f"Infused: {there.size} ({share(there.size, rows.size)} of enrolled)" in texts
        assert f"{stage}: {hit.sum()} ({share(hit.sum(), there.size)} of infused)" in texts
        for name in set(best.tolist()):
            assert f"{(best == name).sum()} {called(lineage, disease, name)}" in texts
        reasons = journey.not_infused_reason[rows]
        for reason in set(reasons.tolist()) - {""}:
            assert f"{reason}: {(reasons == reason).sum()}" in texts
        back = hit & np.isfinite(out.relapse_day[there])
        assert f"{after}: {back.sum()}" in texts
        kinds = [name for name in success if (best[back] == name).any()]
        for name in kinds if len(kinds) > 1 else ():
            assert f"{(best[back] == name).sum()} of them from {name}" in texts
        for antigen in ("positive", "negative"):
            count = (out.relapse_antigen[there][back] == antigen).sum()
            assert (f"{count} antigen-{antigen}" in texts) == bool(count)
        assert f"{np.isfinite(out.death_day[there]).sum()} of the infused died in follow-up" in texts
        others = {"CR or CRi", "In remission"} if lineage != "leukemia" else {"Responded"}
        assert not any(word in text for word in others for text in texts)
    several = len(list(arms(real))) > 1
    whole = figure(page, "flow")[2]
    screened = real.screened
    if several or screened > journey.count:
        assert f"Screened: {screened}" in whole and f"not eligible: {screened - journey.count}" in whole
    assert f"Enrolled: {journey.count}" in whole
    assert f"published: {real.trial.enrolled}" in whole
    assert f"published: {real.trial.infused} ({share(real.trial.infused, real.trial.enrolled)})" in whole


def check_the_kinetics_of_each_arm(real, page):
    journey, found = real.journey, tables(section(page, "kinetics"))
    fields = {
        "Cmax": "cmax", "Tmax": "tmax", "AUC": "auc_0_28", "Clast": "clast", "Tlast": "tlast",
        "Doubling": "doubling_time", "Half-life": "half_life_contraction", "Terminal": "half_life_terminal",
    }  # fmt: skip
    for suffix, title, _, _, rows in arms(real):
        there = rows[journey.infused[rows]]
        rows_of = found[f"Kinetics of the infused patients{f': {title}' if suffix else ''}"]
        assert rows_of[0] == ["Measure", "Median", "5–95 %", "Patients"] and len(rows_of) == 1 + len(fields)
        followed = journey.arms[int(journey.arm[rows[0]])].analyte
        unit = {"transgene": "copies/µg DNA", "car_t_cells": "cells/µL"}[followed]
        assert rows_of[1][0] == f"Cmax ({unit})" and rows_of[3][0] == f"AUC, days 0 to 28 (day × {unit})"
        for (start, field), row in zip(fields.items(), rows_of[1:]):
            values = getattr(journey.kinetics, field)[there]
            known = values[np.isfinite(values)]
            assert row[0].startswith(start)
            low, middle, high = np.quantile(known, [0.05, 0.5, 0.95]) if known.size else [np.nan] * 3
            band = f"{number(low)} to {number(high)}" if known.size else ""
            assert row[1:] == [number(middle), band, str(known.size)]
        peak = np.nanmedian(journey.kinetics.tmax[there])
        heading, caption, _ = figure(page, f"kinetics{suffix}")
        assert heading == f"CAR T cells in blood peak around day {number(peak, 2)}"
        assert f"Median Cmax {number(np.nanmedian(journey.kinetics.cmax[there]))} {unit} (5–95 %" in caption


def check_the_grades_of_each_arm(real, page):
    journey, found = real.journey, tables(section(page, "toxicity"))
    for suffix, title, _, _, rows in arms(real):
        there = rows[journey.infused[rows]]
        rows_of = found[f"Worst grade of each infused patient{f': {title}' if suffix else ''}"]
        assert rows_of[0] == ["Scale", "0", "1", "2", "3", "4", "5", "Gradable"]
        assert [row[0] for row in rows_of[1:]] == list(SCALES)
        for row in rows_of[1:]:
            worst = journey.findings[SCALES[row[0]]].grade[there].max(axis=1)
            known = worst[worst >= 0]
            counts = [(known == g).sum() for g in range(6)]
            assert row[1:] == [*(f"{c} ({share(c, known.size)})" for c in counts), str(known.size)]
        days = np.floor(journey.course.days)
        early = (days >= 0) & (days <= 28)
        crs, icans = (
            (journey.findings[name].grade[there][:, early] > 0).any(axis=1).sum() for name in ("crs_astct", "icans")
        )
        heading, caption, _ = figure(page, f"grades{suffix}")
        assert heading == f"CRS in {crs} and ICANS in {icans} of {there.size} infused patients by day 28"
        assert f"CRS (ASTCT): any grade in {crs} of {there.size}, grade 3 or higher in " in caption


def check_the_survival_of_each_arm(real, page):
    journey = real.journey
    for suffix, _, lineage, _, rows in arms(real):
        endpoint, title = (
            ("EFS", "Event-free survival") if lineage == "leukemia" else ("PFS", "Progression-free survival")
        )
        for name, words in ((endpoint, title), ("OS", "Overall survival")):
            heading, caption, _ = figure(page, f"survival-{name.lower()}{suffix}")
            assert heading.startswith(f"{words} at ") and heading.endswith(" %, infused set")
            parts = []
            for clock, who in (("infusion", "infused set"), ("enrolment", "enrolled set (intention to treat)")):
                time, event = times(journey, rows, name, clock)
                reached = next((m for m in (12, 9, 6, 3, 1) if m * MONTH <= time.max() + 1), None)
                until = time.max() if reached is None else reached * MONTH  # an arm of one patient who died early
                value = kaplan_meier(time, event, until)
                when = f"day {number(until)}" if reached is None else f"{reached} month{'s' if reached > 1 else ''}"
                parts.append(f"{who}: {number(100 * value, 2)} % at {when}, median ")
                below = [day for day in sorted(set(time[event])) if kaplan_meier(time, event, day) < 0.5 - 1e-9]
                even = [day for day in sorted(set(time[event])) if abs(kaplan_meier(time, event, day) - 0.5) < 1e-9]
                if not even:
                    months = f"{number(below[0] / MONTH)} months" if below else "not reached"
                    parts[-1] += "within the first day" if below and below[0] < 1 else months
                assert parts[-1] in caption
                if clock == "infusion":
                    assert heading == f"{words} at {when}: {number(100 * value, 2)} %, infused set"
                    told = f"{words.lower()} at {when} {number(100 * value, 2)} %"
                    assert told in " ".join(lines(page.split('<div class="summary">')[1].split("</div>")[0]))


def groups(real):
    """(title, rows) of the arms that share a disease and a product."""
    journey, found = real.journey, {}
    for place, facts in enumerate(journey.arms):
        found.setdefault((facts.disease.name, facts.product.name), []).append(place)
    for places in found.values():
        rows = np.flatnonzero(np.isin(journey.arm, places))
        title = journey.arms[places[0]].disease.title
        if len(places) == 1:
            title = next((a.title for a in real.trial.arms if a.name == journey.arms[places[0]].name), "")
        names = [journey.arms[p].name for p in places]
        yield "-".join(names), title[:1].upper() + title[1:] if len(found) > 1 else "", len(places), rows


def judged_of(journey):
    """The viability that each patient's own product is tested for."""
    found = np.full(journey.count, np.nan)
    for _, rows, arm in by_arm(journey):
        found[rows] = judged_viability(journey.lot, arm.product)[rows]
    return found


def check_product_and_treatments_of_those_who_share_a_disease(real, page):
    journey = real.journey
    product, given = tables(section(page, "product")), tables(section(page, "treatments"))
    for _, title, pooled, rows in groups(real):
        of = f": {title}" if title else ""
        there = rows[journey.infused[rows]]
        if pooled > 1:
            assert "Pooled, because they share the disease" in section(page, "product")
        quality = {row[0]: row for row in product[f"Collected cells, product and dose{of}"][1:]}
        values = {
            "CD3+ cells collected": journey.apheresis.cd3[rows] / 1e9,
            "CAR-positive T cells": journey.lot.car_positive[rows] * 100,
            "Vector copies per CAR+ cell": journey.lot.vector_copies[rows],
            "Viability": judged_of(journey)[rows] * 100,
            "Dose per kg": journey.infusion.per_kg[there] / 1e6,
        }
        assert list(quality) == list(values)
        for name, known in values.items():
            known = known[np.isfinite(known)]
            low, middle, high = np.quantile(known, [0.05, 0.5, 0.95])
            assert quality[name][2:5] == [number(middle), f"{number(low)} to {number(high)}", str(known.size)]
        lots = dict(product[f"Release of the lots{of}"][1:])
        assert lots["made a second time"] == str(journey.lot.remade[rows].sum())
        assert lots["failed, no lot for infusion"] == str(journey.lot.failed[rows].sum())
        for status in set(journey.lot.status[rows].tolist()) - {""}:
            assert lots[status] == str((journey.lot.status[rows] == status).sum())
        treated = {row[0]: row for row in given[f"Treatments given to the infused patients{of}"][1:]}
        for name in ("tocilizumab", "dexamethasone", "car_t_infusion", "ivig"):
            title_of = analyte(name).title.split(" (")[0]
            amounts = np.nan_to_num(journey.course.dense(name)[there])
            who = (amounts > 0).any(axis=1)
            assert (title_of in treated) == bool(who.any())
            if who.any():
                first = journey.course.days[(amounts[who] > 0).argmax(axis=1)]
                low, middle, high = np.quantile(first, [0.05, 0.5, 0.95])
                row = treated[title_of]
                assert row[1] == f"{who.sum()} ({share(who.sum(), there.size)})"
                assert row[2] == f"{number(middle)} ({number(low)} to {number(high)})"
                assert row[3] == number(np.median((amounts[who] > 0).sum(axis=1)))
                if analyte(name).unit != "1":
                    assert row[4].startswith(number(np.median(amounts[who].sum(axis=1))))


def check_inflammation_and_aplasia_of_those_who_share_a_disease(real, page):
    journey, days = real.journey, real.journey.course.days
    for key, title, _, rows in groups(real):
        suffix = f"-{key}" if title else ""
        there = rows[journey.infused[rows]]
        early = (days >= 0) & (days <= 28)
        il6 = journey.course.dense("il6")[there][:, early]
        enough = np.isfinite(il6).sum(axis=0) >= 5
        heading = figure(page, f"inflammation{suffix}")[0]
        if enough.any():
            middle = np.where(enough, np.nanmedian(np.where(enough, il6, 0), axis=0), -1)
            told = f"on day {days[early][middle.argmax()]:.0f} ({number(middle.max())} pg/mL)"
            assert heading.startswith("Cytokines") and "interleukin-6 highest" in heading and heading.endswith(told)
        table = journey.findings["b_cell_aplasia"].grade[there]
        known = (table >= 0).sum(axis=0)
        held = np.where(known >= 5, (table > 0).sum(axis=0) / np.maximum(known, 1), np.nan)
        shown = np.isfinite(held)
        if shown.any():
            parts = [f"{100 * np.interp(m * MONTH, days[shown], held[shown]):.0f} % at {m} months" for m in (6, 12)]
            assert figure(page, f"aplasia{suffix}")[0] == f"B-cell aplasia: {', '.join(parts)}"


def check_the_comparison_repeats_every_row(real, page):
    found = tables(section(page, "comparison"))
    for confidence, caption in (
        ("read", "Published values that were read in their source"),
        ("memory", "Published values known from memory only"),
    ):
        expected = [row for row in real.comparison if (row.confidence == "read") == (confidence == "read")]
        shown = found.get(caption, [[]])[1:]
        assert len(shown) == len(expected)
        for cells, row in zip(shown, expected):
            if not np.isnan(row.simulated):
                simulated = "not reached" if row.simulated == np.inf else number(row.simulated)
                assert cells[2] == simulated and cells[4] == number(row.published)
                assert cells[3] == ("" if np.isnan(row.low) else f"{number(row.low)} to {number(row.high)}")
                inside = row.low <= row.published <= row.high
                assert cells[8] == ("" if np.isnan(row.low) else "inside" if inside else "outside")
            else:
                assert cells[2].startswith("missing: ")


def check_what_is_assumed_is_counted_over_all_arms(real, page):
    own = {}
    for facts in real.journey.arms:
        cards = (("product", facts.product), ("disease", facts.disease))
        for name, parameter in facts.parameters.parameters.items():
            whose = [f"{kind} {card.name}" for kind, card in cards if name in card.parameters.parameters]
            if parameter.value is not None:
                own[whose[-1] if whose else "model", name] = parameter.how
    assumed = sum(how == "assumed" for how in own.values())
    assert f"{assumed} of the {len(own)} numbers in force are assumed" in section(page, "assumptions")


def check_diseases_and_products_are_all_named(real, page):
    told = lines(section(page, "flow"))
    for what in ("disease", "product"):
        titles = dict.fromkeys(getattr(facts, what).title for facts in real.journey.arms)
        assert told[told.index(what.capitalize()) + 1] == ", ".join(titles)
    age = np.quantile(real.journey.patient.age, [0.5, 0.05, 0.95])
    assert (
        told[told.index("Age, median (5–95 %)") + 1] == f"{number(age[0])} years ({number(age[1])} to {number(age[2])})"
    )
