"""What vein2vein shows and writes for a newcomer works as it stands: examples of --help, templates of --init."""

import re
import shlex

import pytest

from vein2vein.cli.main import commands

EXAMPLES = [
    (name, line)
    for name, command in commands.commands.items()
    for part in re.findall(r"vein2vein [^\n]+", command.epilog or "")
    for line in part.split("&&")
]


def test_there_is_an_example_for_every_command():
    assert {name for name, _ in EXAMPLES} == set(commands.commands)


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line.strip() for _, line in EXAMPLES])
def test_the_examples_of_help_parse(name, line):
    words = shlex.split(line)
    assert words[:2] == ["vein2vein", name]
    commands.commands[name].make_context(name, words[2:])


def test_the_example_patient_is_a_patient(tmp_path):
    from vein2vein.therapy.patient import example_patient_text, read_patient

    file = tmp_path / "patient.toml"
    file.write_text(example_patient_text(), encoding="utf-8")
    patient, notes = read_patient(file)
    assert patient.count == 1
    assert not [note for note in notes if "unusual" in note]
    assert patient.weight[0] > 0


def test_the_example_trial_is_a_trial(tmp_path):
    from vein2vein.trials.trial import load_trial, trial_template_text

    file = tmp_path / "my.toml"
    file.write_text(trial_template_text(), encoding="utf-8")
    assert load_trial(str(file)).title


def test_the_templates_explain_themselves():
    from vein2vein.therapy.patient import example_patient_text
    from vein2vein.trials.trial import trial_template_text

    for text in (example_patient_text(), trial_template_text()):
        assert text.startswith("# "), "the first line says what the file is for"
        tables = re.findall(r"^\[", text, re.M)
        assert text.count("#") >= len(tables) + 5
