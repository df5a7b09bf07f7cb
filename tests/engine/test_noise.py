"""A scale that is larger than the state: solve() says that little but noise was solved."""

import warnings

import numpy as np
import pytest

import vein2vein as v2v

TABLETS = {"ka": 20.0, "CL": 5.0, "V": 10.0}


def model(scale=1e-6, more=()):
    return v2v.Model(
        name="oral", title="", source="none",
        states=[v2v.State("gut", "", "kg", scale=scale), v2v.State("C", "", "kg/L", scale=scale), *more],
        inputs=[v2v.Input("tablet", "", "kg")], parameters=list(TABLETS),
        equations=lambda t, x, p, u: {
            "gut": -p.ka * x.gut, "C": p.ka * x.gut / p.V - p.CL / p.V * x.C, **{s.name: 1.0 + 0 * t for s in more}
        },
        initial=lambda p: {}, apply_dose=lambda name, amount, x, p: {"gut": x.gut + amount},
        observables=lambda t, x, p, u: {"seen": x.C},
    )  # fmt: skip


def course(which, amount=1e-7, **options):
    return v2v.solve(which, TABLETS, None, [0.0, 1.0, 5.0], [(0.0, "tablet", amount)], **options)


def test_states_below_their_scale_are_told_in_one_warning():
    said = r"model oral: what never exceeds .*, here gut \(up to 1e-07, scale 1e-06\), C \(up to .*; give each State"
    with pytest.warns(UserWarning, match=said) as told:
        course(model())
    assert len(told) == 1 and told[0].filename == __file__ and "\n" not in str(told[0].message)


@pytest.mark.parametrize(
    "quiet",
    [
        lambda: course(model(1e-12)),
        lambda: course(model(), 1.0),
        lambda: course(model(), 0.0),
        lambda: course(model(np.inf, [v2v.State("large", "", "1")])),
        lambda: course(model(), outputs=["seen"]),
        lambda: course(model(), outputs=False),
        lambda: course(model(), begin=-1.0),
        lambda: course(model(more=[v2v.State(f"large{i}", "", "1") for i in range(2)])),
        lambda: v2v.prepare(model(), [0.0, 1.0], [(0.0, "tablet", 1e-7)])(TABLETS),
    ],
    ids=["small scale", "large", "always 0", "infinite", "observables", "nothing kept", "begin", "half", "prepared"],
)
def test_what_is_meant_is_not_warned_of(quiet):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet()


@pytest.mark.parametrize("name", ["reference", "stein_2019"])
def test_the_bundled_models_do_not_warn_in_their_examples(name):
    bundled = v2v.find_model(name)
    first = min([0.0, *(day for day, _, _ in bundled.example_doses)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        v2v.solve(bundled, bundled.example, None, [first, 7.0, 28.0, 100.0], bundled.example_doses)
        v2v.solve(bundled, bundled.example, None, [0.0, 7.0, 28.0, 100.0])


def test_what_is_prepared_and_a_run_show_themselves_in_a_line():
    from vein2vein.engine.run import begin

    reference = v2v.find_model("reference")
    for shown in (repr(v2v.prepare(reference, np.arange(1000.0))), repr(begin(reference, reference.example))):
        assert "model=<Model reference>" in shown and "\n" not in shown and len(shown) < 600
