"""The numbers of the explicit Runge-Kutta pair and of its step control, shared by the plain and the compiled solver.

Tsitouras 2011, "Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption": seven stages,
of which the last is the first of the next step.
"""

from __future__ import annotations

NODES = (0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0)
STAGES: tuple[tuple[float, ...], ...] = (
    (),
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
    (0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774),
)
ERROR = (
    -0.00178001105222577714,
    -0.0008164344596567469,
    0.007880878010261995,
    -0.1447110071732629,
    0.5823571654525552,
    -0.45808210592918697,
    0.015151515151515152,
)

# Step control: proportional-integral, with the exponents that suit an error estimate of order 4.
EXPONENT_NOW = 0.7 / 5
EXPONENT_BEFORE = 0.4 / 5
EXPONENT_REJECTED = 1 / 5
SAFETY = 0.9
SHRINK = 0.2
GROW = 5.0
ERROR_FLOOR = 1e-8
ERROR_AT_START = 1e-4
FIRST_STEP = 0.01
STRETCH = 1.01
LEAST_STEP = 1e-13

REFERENCE_RTOL = 1e-5
"""The relative tolerance for which ``State.scale`` is the absolute one; another rtol moves both alike."""

MAX_STEP = 1.0
MAX_STEPS = 100_000

OK, STEP_TOO_SMALL, TOO_MANY_STEPS, NOT_FINITE = range(4)
STATUS = {
    OK: "solved",
    STEP_TOO_SMALL: "the step size became too small: the equations jump or are too stiff for this patient",
    TOO_MANY_STEPS: "too many steps in one advance",
    NOT_FINITE: "the equations gave a value that is not finite",
}
