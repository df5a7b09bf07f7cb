"""What pages and figures of made-up results hold: written once, compared ever after.

    python tests/golden/report/make_report.py

writes pages.json and drawings.json anew. Read the difference before it is committed: every changed word or number of
a report shows there. The results are synthetic (tests/synthetic.py), so that no solver has a part in them.
"""

import html
import importlib.util
import json
import re
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DIGITS = 4
MANY = 60  # texts of one panel that are written together


def synthetic():
    """The module of made-up journeys."""
    if "synthetic" not in sys.modules:
        spec = importlib.util.spec_from_file_location("synthetic", HERE.parents[1] / "synthetic.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["synthetic"] = module
        spec.loader.exec_module(module)
    return sys.modules["synthetic"]


def _same(journey):
    """The same provenance wherever and whenever it was made."""
    fixed = {"numpy": "2", "version": "0", "date": "2026-01-02", "criteria": ["crs"], "tolerance": 1e-6}
    return replace(journey, provenance={**journey.provenance, **fixed})


def result():
    made = synthetic().synthetic_result(enrolled=40, seed=5)
    journey = _same(made.journey)
    return replace(made, journey=journey, provenance={**journey.provenance, "trial": "eliana"})


def two_arms():
    """The same result in two arms of two diseases, one of them with a product followed by flow cytometry."""
    from vein2vein.therapy.disease import all_diseases
    from vein2vein.trials.arms import Arm
    from vein2vein.trials.trial import load_trial

    made = result()
    journey = made.journey
    first = journey.arms[0]
    other = replace(
        first, name="late", disease=all_diseases()["lbcl"], analyte="car_t_cells", categories=("PD", "SD", "PR", "CR"),
        parameters=replace(first.parameters, parameters={}),
        product=replace(first.product, name="other", title="other"),
    )  # fmt: skip
    arm = (np.arange(journey.count) % 3 == 0).astype(np.intp)
    best = journey.outcome.best_response
    swapped = np.where(arm == 1, np.char.replace(np.char.replace(best, "CRi", "PR"), "NR", "SD"), best)
    progress = np.where((arm == 1) & journey.infused, journey.outcome.relapse_day, np.inf)
    outcome = replace(journey.outcome, best_response=swapped, progression_day=progress)
    arms = [
        Arm(name, title, 20.0, one.disease, one.product, "", "", {})
        for name, title, one in (("early", "B-ALL, early", first), ("late", "lymphoma, late", other))
    ]
    journey = replace(journey, arms=(replace(first, name="early"), other), arm=arm, outcome=outcome)
    stated = tuple(
        replace(row, arms=("early",) if row.quantity.startswith(("CR_", "EFS")) else row.arms)
        for row in made.trial.published
    )
    trial = replace(
        made.trial, arms=tuple(arms), title="Two arms", published=stated, regimens=load_trial("eliana").regimens
    )
    return replace(made, trial=trial, journey=journey)


def contrast():
    from vein2vein.trials.contrast import Contrast, Curves, Difference

    nan = float("nan")
    rows = (
        Difference("CRS grade 3 or more", "%", 10.0, 24.0, 14.0, 2.5, 25.5, False, "infused", (30, 31)),
        Difference("response", "%", 80.0, 61.5, -18.5, -40.0, 3.0, False, "infused", (30, 31)),
        Difference("relapse", "%", 0.0, 10.0, 10.0, nan, nan, False, "infused", (30, 31)),
        Difference("Cmax, transgene", "copies/ug", 20000.0, 31000.0, 1.55, 1.1, 2.2, True, "infused", (30, 31)),
        Difference("igg", "mg/dL", nan, nan, nan, nan, nan, False, "responders", (0, 0), "nobody counts for it"),
    )
    days, value = np.array([0.0, 90.0, 180.0]), np.array([[1.0, 0.8, 0.7], [1.0, 0.9, 0.6]])
    return Contrast(
        ("eliana", "axicabtagene_ciloleucel, 2e6/kg, flu_cy"),
        31,
        1,
        rows,
        (Curves("OS", "infusion", "infused", days, value, value - 0.1, np.minimum(value + 0.1, 1)),),
        ("a note <b>",),
        {"seed": 4, "policy_first": "x", "trial": "eliana"},
    )


def qualification():
    from vein2vein.inference.qualification import Qualification
    from vein2vein.inference.scoring import ScoredRow, summarize

    def row(file, quantity, kind, published, simulated, low, high, error, passed, **more):
        return ScoredRow(
            file, "ELIANA", "single arm", quantity, "t=6mo", "%", "eliana_final_2022", kind, "p", "d", 182.6, published,
            published - 5, published + 5, 75, simulated, low, high, 10.0, "points", error, low <= published <= high,
            error <= 1, passed,
            **{"missing": "", "baseline": 50.0, "baseline_error": 1.5, "baseline_of": "2 trials", **more},
        )  # fmt: skip

    nan, inf = float("nan"), float("inf")
    rows = (
        row("eliana", "EFS_rate", "survival", 73.0, 70.0, 61.0, 79.0, 0.3, True),
        row("eliana", "CRS_any_rate", "cytokine release", 77.0, 20.0, 10.0, 30.0, 5.7, False),
        row("zuma_1", "OS_median", "survival", 25.8, inf, 20.0, inf, inf, False),
        row("zuma_1", "NT_any_rate", "nervous system", 65.0, nan, nan, nan, inf, False, missing="not graded",
            baseline=nan, baseline_error=nan, baseline_of=""),
    )  # fmt: skip
    scores = {name: summarize(name, [r for r in rows if of(r) == name]) for of, names in (
        (lambda r: r.file, ("eliana", "zuma_1")),
        (lambda r: r.kind, ("survival", "cytokine release", "nervous system")),
    ) for name in names}  # fmt: skip
    return Qualification(
        rows, rows, summarize("all", rows), (scores["eliana"], scores["zuma_1"]),
        (scores["survival"], scores["cytokine release"], scores["nervous system"]),
        {"version": "0", "seed": 1, "patients": 40, "trials": ["eliana", "zuma_1"], "parameters": "typical"},
    )  # fmt: skip


def journeys():
    """A journey for single patients: with companions, below the limit of quantification, and one of lymphoma."""
    one = _same(synthetic().synthetic_journey(24, seed=9))
    below = np.zeros(one.course.values["transgene"].shape, dtype=bool)
    below[3, 20:] = True
    one = replace(one, course=replace(one.course, below_lloq={"transgene": below}))
    return one, _same(synthetic().synthetic_journey(30, seed=11))


def rounds():
    """Records as a ward sees them, by name: the bundled example at three times, months of follow-up, and bare ones."""
    from vein2vein.clinic.grades.monitoring import Override
    from vein2vein.io.record.read import example_record_text, read_record
    from vein2vein.therapy.course import Row, course_from_rows
    from vein2vein.ward.monitor import monitor

    def course(*rows):
        return course_from_rows(
            Row(0, day, name, value, len(below) > 0, "measured", f"r.csv:{i}")
            for i, (day, name, value, *below) in enumerate(rows, start=2)
        )

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.csv"
        path.write_text(example_record_text(), encoding="utf-8")
        example = read_record(path)
    given = Override(0, 3.0, 3.9, "crs_astct", 1, "", "Dr. B", "day 4", "fluids for dehydration", "record.csv:70")
    open_ = Override(0, 2.0, np.inf, "neutropenia", 2, "", "Dr. C", "day 2", "", "record.csv:71")
    bare = replace(example, facts=replace(example.facts, weight=np.array([np.nan]), product=("own",)))
    counts = ((-6.0, 0.8, 60.0), (0.5, 0.3, 45.0), (6.2, 0.1, 18.0), (14.0, 0.4, 22.0), (31.0, 1.6, 90.0))
    late = [
        *((day, "neutrophils", value) for day, value, _ in counts),
        *((day, "platelets", value) for day, _, value in counts),
        (-6.0, "hemoglobin", 8.0), (-6.0, "crp", 50.0), (-6.0, "ferritin", 2500.0), (-5.0, "fludarabine", 50.0),
        (0.0, "car_t_infusion", 1.2e8), (3.0, "temperature", 38.5), (3.0, "ldh", 300.0), (3.0, "norepinephrine", 0.0),
        (6.2, "spo2", 91.0), (6.2, "oxygen_flow", 3.0), (6.3, "dexamethasone", 10.0), (6.8, "dexamethasone", 10.0),
        (7.0, "transgene", 21000.0), (60.0, "ivig", 20.0), (70.0, "transgene", 50.0, "<"), (90.0, "transgene", 320.0),
        (31.0, "b_cells", 1.0, "<"), (90.0, "b_cells", 1.0, "<"), (200.0, "b_cells", 0.5), (31.0, "igg", 480.0),
        (90.0, "igg", 390.0), (200.0, "igg", 330.0), (199.5, "infection", 1.0),
    ]  # fmt: skip
    made = {
        "monitor, day 3": monitor(replace(example, overrides=(given, open_)), until=3.34),
        "monitor, Penn": monitor(example, scale="penn", until=3.375),
        "monitor, day 28": monitor(example),
        "monitor, no weight": monitor(bare, until=3.34),
        "monitor, follow-up": monitor(course(*late), age=40, weight=70.5, product="axicabtagene_ciloleucel"),
        "monitor, day 0": monitor(course(*(r for r in late if r[0] <= 3)), age=40, weight=70, until=0.2),
        "monitor, one day": monitor(course((1.0, "temperature", 39.0), (1.0, "ice", 10.0)), age=40, weight=70),
        "monitor, before": monitor(course((-3.0, "neutrophils", 1.2)), age=40),
    }
    return {name: one for name, (one,) in made.items()}


def monitor_text(page):
    """The lines of a record's page with what cells say under the pointer; no lists of thresholds, no version."""
    from vein2vein import __version__

    page = re.sub(r"(<summary>[^<]*</summary>).*?</details>", r"\1", page, flags=re.S)
    page = re.sub(r'<span class="g gx" title="([^"]*)">', r"{\1} ", page)
    return [line.replace(f"vein2vein | {__version__}", "vein2vein | 0") for line in text_of(page)]


def sheets():
    """Every page: (name, how it is made)."""
    from vein2vein.report.comparison import comparison_page
    from vein2vein.report.monitor_page import monitor_page
    from vein2vein.report.patient import patient_page
    from vein2vein.report.qualification import qualification_page
    from vein2vein.report.trial import trial_page

    one, spread = journeys()
    left = int(np.flatnonzero(~one.infused)[0])
    first = int(np.flatnonzero(one.infused)[1])
    fewest = int(np.argmin(np.where(one.infused, one.outcome.death_day, np.inf)))
    return {
        "trial": lambda: trial_page(result()),
        "two arms": lambda: trial_page(two_arms()),
        "patient with companions": lambda: patient_page(one, first, spread, "Ada"),
        "patient who died": lambda: patient_page(one, fewest),
        "patient below the limit": lambda: patient_page(one, 3),
        "patient not infused": lambda: patient_page(one, left),
        "patient of the second arm": lambda: patient_page(two_arms().journey, 3),
        "comparison": lambda: comparison_page(contrast()),
        "qualification": lambda: qualification_page(qualification()),
        **{name: lambda watch=watch: monitor_page(watch) for name, watch in rounds().items()},
    }


def held(name, write):
    """What a page holds: its lines, and every figure as a list of what stands in it."""
    with captured() as found:
        page = write()
    lines = monitor_text(page) if name.startswith("monitor") else text_of(page)
    style = {"style": re.search(r"<style>(.*?)</style>", page, re.S).group(1).splitlines()} if name == "trial" else {}
    return style | {name: lines}, {f"{name}: {figure}": drawn for figure, drawn in found.items()}


def everything():
    """Lines of all pages, and all figures."""
    pages, drawings = {}, {}
    for name, write in sheets().items():
        lines, drawn = held(name, write)
        pages |= lines
        drawings |= drawn
    return pages, drawings


def text_of(page):
    """The lines of a page: its text without style and figures, with the tags that carry meaning."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    page = re.sub(r"<svg.*?</svg>", _flow_or_nothing, page, flags=re.S)
    page = re.sub(r"</(th|td|dt|small)>", " | ", page)
    page = re.sub(r"<(?!section|figure)[^>]*>", " ", page)
    lines = (" ".join(line.split()) for line in html.unescape(page).splitlines())
    return [line for line in lines if line]


def _flow_or_nothing(found):
    """A flow diagram is drawn by this package, shape by shape; other figures are compared as drawings."""
    svg = found.group()
    if "Flow diagram" not in svg:
        return ""
    shapes = re.findall(r"<svg[^>]*>|<rect[^>]*>|<path[^>]*>|<text.*?</text>", svg)
    return "\n".join(shape.replace("</text>", "").replace("<", "").replace(">", " ") for shape in shapes)


@contextmanager
def captured():
    """Figures that are rendered meanwhile, by name."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    found, usual = {}, FigureCanvasSVG.print_svg

    def kept(canvas, *args, **kinds):
        from matplotlib import rcParams

        done = usual(canvas, *args, **kinds)
        found[rcParams["svg.hashsalt"]] = contents(canvas.figure)
        return done

    FigureCanvasSVG.print_svg = kept
    try:
        yield found
    finally:
        FigureCanvasSVG.print_svg = usual


def contents(figure):
    """What stands in a figure, number by number."""
    found = {"size": _numbers(figure.get_size_inches()), "legends": [_legend(one) for one in figure.legends]}
    return found | {"axes": [_axes(one) for one in figure.axes]}


def _axes(axes):
    if not axes.get_visible():
        return {"visible": False}
    found = {
        "place": _numbers(axes.get_position().bounds),
        "words": [axes.get_title("left") or axes.get_title(), axes.get_xlabel(), axes.get_ylabel()],
        "scales": [axes.get_xscale(), axes.get_yscale()],
        "limits": _numbers([*axes.get_xlim(), *axes.get_ylim()]),
        "ticks": [[t.get_text() for t in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)],
        "at": [_numbers(axes.get_xticks()), _numbers(axes.get_yticks())],
        "grid": [any(line.get_visible() for line in axis.get_gridlines()) for axis in (axes.xaxis, axes.yaxis)],
        "marks": [axis.get_major_ticks(1)[0].tick1line.get_markersize() for axis in (axes.xaxis, axes.yaxis)],
        "frame": [spine.get_visible() for spine in axes.spines.values()] + [axes.axison],
        "lines": [_line(one) for one in axes.lines],
        "shapes": [_shapes(one) for one in axes.collections],
        "patches": [[_numbers(one.get_extents().bounds), _hue(one.get_facecolor())] for one in axes.patches],
        "texts": _texts(axes.texts),
        "images": [_image(one) for one in axes.images],
    }
    return found | ({"legend": _legend(axes.get_legend())} if axes.get_legend() else {})


def _line(line):
    x, y = (np.asarray(part, dtype=float) for part in line.get_data(orig=False))
    return {
        "points": len(x), "x": _summed(x), "y": _summed(y), "color": _hue(line.get_color()),
        "kind": [line.get_linestyle(), str(line.get_marker()), line.get_drawstyle()],
        "width": _numbers([line.get_linewidth(), line.get_markersize(), line.get_alpha() or 1, line.get_zorder()]),
        "faces": [_hue(line.get_markerfacecolor()), _numbers([line.get_markeredgewidth()])], "label": _label(line),
    }  # fmt: skip


def _shapes(shapes):
    points = [path.vertices for path in shapes.get_paths()]
    every = np.concatenate(points) if points else np.zeros((0, 2))
    offsets = np.asarray(np.ma.getdata(shapes.get_offsets()), dtype=float)
    return {
        "kind": type(shapes).__name__, "count": len(points), "x": _summed(every[:, 0]), "y": _summed(every[:, 1]),
        "at": [_summed(offsets[:, 0]), _summed(offsets[:, 1])] if offsets.size else [],
        "faces": sorted({_hue(c) for c in shapes.get_facecolor()}),
        "edges": sorted({_hue(c) for c in shapes.get_edgecolor()}),
        "width": _numbers([*np.unique(shapes.get_linewidth()), shapes.get_alpha() or 1, shapes.get_zorder()]),
        "hatch": shapes.get_hatch(), "label": _label(shapes),
    }  # fmt: skip


def _image(image):
    values = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
    weights = np.arange(1, values.size + 1).reshape(values.shape)
    return [
        _numbers(image.get_extent()),
        _numbers(image.get_clim()),
        _numbers([np.nansum(values), np.nansum(values * weights)]),
    ]


def _text(text):
    return [
        text.get_text(), _numbers(text.get_position()), _hue(text.get_color()), text.get_ha(), text.get_va(),
        _numbers([text.get_fontsize()]),
    ]  # fmt: skip


def _texts(texts):
    """Each text with its place and look; of very many, such as the digits in a heat map, together."""
    if len(texts) < MANY:
        return [_text(one) for one in texts]
    places = np.array([one.get_position() for one in texts], dtype=float)
    kinds = sorted({str(_text(one)[2:]) for one in texts})
    return [len(texts), "|".join(one.get_text() for one in texts), _summed(places[:, 0]), _summed(places[:, 1]), kinds]


def _legend(legend):
    return [[text.get_text() for text in legend.get_texts()], legend._loc, legend._ncols]


def _label(artist):
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def _hue(value):
    from matplotlib.colors import to_hex

    return "none" if isinstance(value, str) and value in ("none", "auto") else to_hex(value, keep_alpha=True)


def _summed(values):
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    if not known.size:
        return []
    weights = np.linspace(1, 2, known.size)
    return _numbers([known[0], known[-1], known.min(), known.max(), known.mean(), (known * weights).mean()])


def _numbers(values):
    return [float(f"{float(value):.{DIGITS}g}") for value in np.asarray(values, dtype=float).ravel()]


if __name__ == "__main__":
    for name, made in zip(("pages", "drawings"), everything()):
        text = json.dumps(made, indent=0, ensure_ascii=False, sort_keys=True)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")
