"""What a row of a data set is: a dose, an observation, a reset, or neither; EVID 0-4 and the codes of nlmixr."""

from __future__ import annotations

from dataclasses import dataclass

from vein2vein.io.record.record import Log
from vein2vein.io.study.columns import MONOLIX, Layout
from vein2vein.io.study.table import Cells

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)  # EVID
CODED = 101  # the first code of nlmixr that holds a compartment
PLAIN, BY_RATE, BY_DURATION = 0, 1, 2  # the infusion flag of such a code
ONE_DOSE, STEADY, STEADY_ADDED = 1, 10, 20  # its last two digits
MEANT = {
    3: "an infusion flag that rxode2 does not have",
    4: "a dose that replaces what is in the compartment",
    5: "a dose that multiplies what is in the compartment",
    6: "the end of an infusion whose duration a model says",
    7: "the end of an infusion whose rate a model says",
    8: "an infusion whose duration a model says",
    9: "an infusion whose rate a model says",
}
"""Flags of nlmixr's codes that are not read here."""


@dataclass(frozen=True)
class Event:
    """What a row is.

    Attributes
    ----------
    dose, observation, reset : bool
        ``reset`` begins a new course of the subject, before the dose of the same row.
    target : str
        Compartment that a code of nlmixr names; "".
    steady : int
        Steady state that such a code names.
    switch : int
        1: an infusion begins here with the rate AMT, -1: it ends (nlmixr's codes by rate and by duration); 0 else.
    coded : bool
        Whether it was a code of nlmixr.
    """

    dose: bool = False
    observation: bool = False
    reset: bool = False
    target: str = ""
    steady: int = 0
    switch: int = 0
    coded: bool = False


NOTHING = Event()


def event_of(row: Cells, layout: Layout, log: Log) -> Event | None:
    """What a row is; None where it contradicts itself (set aside).

    Without EVID a row with an amount is a dose, and a row with MDV 1 no observation.
    """
    if "evid" not in row.number:
        return _without_evid(row, layout, log)
    code = row.number["evid"]
    if code != int(code) or code < 0 or RESET_AND_DOSE < code < CODED:
        log.aside(row.line, layout.name("evid"), _strange(code), f"{code:g}", "0 to 4, or a code of nlmixr such as 101",
                  "give each dose and each sample a row of its own")  # fmt: skip
        return None
    if code >= CODED:
        return _decoded(int(code), row, layout, log)
    if code == OBSERVATION:
        return _observation(row, layout, log)
    if code in (OTHER, RESET):
        if row.get("amt"):
            log.aside(row.line, layout.name("amt"), f"an amount in a row with EVID {code:g}, which gives no dose",
                      row.text["amt"], "0 or '.'", "write EVID 1 or 4 for a dose")  # fmt: skip
            return None
        if code == OTHER and row.text.get("cmt", "").startswith("-"):
            log.aside(row.line, layout.name("cmt"), "a compartment that is switched off", row.text["cmt"],
                      "a compartment above 0", "it is not read here; leave the row out")  # fmt: skip
            return None
        return Event(reset=code == RESET)
    if row.number.get("mdv") == 0 and row.get("dv"):
        log.aside(row.line, layout.name("dv"), "a value in the row of a dose", row.text["dv"], "0 or '.', or MDV 1",
                  "give the sample a row of its own with EVID 0")  # fmt: skip
        return None
    return Event(dose=True, reset=code == RESET_AND_DOSE)


def _strange(code: float) -> str:
    known = {5: "a dose that replaces", 6: "a dose that multiplies", 7: "a phantom dose"}
    return f"EVID {code:g}, {known[int(code)]}, is not read here" if code in known else "an EVID that no program has"


def _without_evid(row: Cells, layout: Layout, log: Log) -> Event | None:
    if "evid" in layout:
        log.note(f"rows without {layout.name('evid')} are doses where they have an amount, else observations")
    if not row.get("amt") and not (row.get("rate") and row.get("ss")):
        return _observation(row, layout, log)
    both = row.get("mdv") == 0 and bool(row.get("dv"))
    if both and layout.program != MONOLIX:
        log.aside(row.line, layout.name("amt"), "a dose and a value in one row, and no EVID says which it is",
                  row.text["amt"], "one of the two", "give each a row of its own with EVID 1 and 0")  # fmt: skip
        return None
    return Event(dose=True, observation=both)


def _observation(row: Cells, layout: Layout, log: Log) -> Event | None:
    for role in ("amt", "rate"):
        if row.get(role):
            log.aside(row.line, layout.name(role), f"a sample of subject {row.text['id']} with an amount or a rate",
                      row.text[role], "0 or '.'", "write EVID 1 for a dose")  # fmt: skip
            return None
    if row.get("mdv"):
        return NOTHING
    if "dv" in row.number or row.bound or row.get("cens") or row.get("blq"):
        return Event(observation=True)
    if layout.program == MONOLIX and "evid" not in layout and "mdv" not in layout:
        log.note("rows with neither a dose nor a value are read for their covariates only, as Monolix does")
        return NOTHING
    what = f"a sample of subject {row.text['id']} without a value: NONMEM reads it as 0"
    log.aside(row.line, layout.name("dv"), what,
              "", "a number, or MDV 1", "write MDV 1, or leave the row out")  # fmt: skip
    return None


def _decoded(code: int, row: Cells, layout: Layout, log: Log) -> Event | None:
    """A code of nlmixr: hundreds of the compartment, infusion flag, compartment, and two digits for the kind of dose.

    As in 'Classic rxode2 events' (nlmixr2.github.io/rxode2): 101 is a dose into compartment 1, 10201 an infusion into
    compartment 2 whose rate stands in AMT, 110 a steady state in compartment 1.
    """
    last, compartment, flag, hundreds = code % 100, code // 100 % 100, code // 10_000 % 10, code // 100_000
    target = str(100 * hundreds + compartment)
    meant = MEANT.get(flag, "" if last in (ONE_DOSE, STEADY, STEADY_ADDED) else f"its last digits {last:02d}")
    if not meant and flag and last != ONE_DOSE:
        meant = "a steady state of infusions"
    if meant:
        log.aside(row.line, layout.name("evid"), f"the code of nlmixr means {meant}, which is not read here", code,
                  "a dose (..01), a steady state (..10, ..20) or an infusion by its rate (1..01)",
                  "write EVID 1 with AMT, RATE, II and SS")  # fmt: skip
        return None
    steady = {ONE_DOSE: 0, STEADY: 1, STEADY_ADDED: 2}[last]
    switch = 0 if flag == PLAIN else 1 if row.get("amt") > 0 else -1
    return Event(dose=True, target=target, steady=steady, switch=switch, coded=True)
