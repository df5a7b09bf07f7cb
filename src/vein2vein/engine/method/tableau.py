"""The numbers of the methods and of the step control, shared by the plain and the compiled solver.

``tsit5``: Tsitouras 2011, "Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption":
seven stages, of which the last is the first of the next step. ``rodas4``: Hairer and Wanner 1996, "Solving Ordinary
Differential Equations II", section IV.7; order 4(3), six stages. ``rodas5p``: Steinebach 2023, "Construction of
Rosenbrock-Wanner method Rodas5P and numerical benchmarks within the Julia Differential Equations package", BIT 63:27;
order 5(4), eight stages. Both are stiffly accurate; a step solves, with one matrix W = 1 / (gamma h) - J throughout,

    W k_i = f(t + c_i h, x + sum_j a_ij k_j) + sum_j C_ij k_j / h + d_i h df/dt

and the last stage is the error of the step.
"""

from __future__ import annotations

from dataclasses import dataclass

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

# State within a step, at the share s of it: x + h * sum of k_i * (r_i1 s + r_i2 s^2 + r_i3 s^3 + r_i4 s^4); order 4.
TSIT5_DENSE: tuple[tuple[float, ...], ...] = (
    (1.0, -2.763706197274826, 2.9132554618219126, -1.0530884977290216),
    (0.0, 0.13169999999999998, -0.2234, 0.1017),
    (0.0, 3.9302962368947516, -5.941033872131505, 2.490627285651253),
    (0.0, -12.411077166933676, 30.33818863028232, -16.548102889244902),
    (0.0, 37.50931341651104, -88.1789048947664, 47.37952196281928),
    (0.0, -27.896526289197286, 65.09189467479366, -34.87065786149661),
    (0.0, 1.5, -4.0, 2.5),
)


@dataclass(frozen=True)
class Method:
    """A method of integration.

    Attributes
    ----------
    name : str
    estimate : int
        Order of the error estimate.
    nodes : tuple of float
        c: share of the step at which a stage is taken.
    weights : tuple of tuple of float
        a: how stages before make up the state at which a stage is taken.
    couplings, gamma, slopes
        C, gamma and d of a Rosenbrock method; empty and 0 for an explicit one.
    dense : tuple of tuple of float
        An explicit method: per stage, coefficients of the powers of the share of the step. A Rosenbrock method: rows of
        weights of the stages, q_1, q_2 ...: x (1 - s) + s (x_new + (1 - s) (q_1 + s (q_2 + s q_3))).
    """

    name: str
    estimate: int
    nodes: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    couplings: tuple[tuple[float, ...], ...] = ()
    gamma: float = 0.0
    slopes: tuple[float, ...] = ()
    dense: tuple[tuple[float, ...], ...] = ()

    @property
    def implicit(self) -> bool:
        """Whether a step solves linear systems."""
        return self.gamma > 0

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.nodes)


TSIT5 = Method("tsit5", 4, NODES, STAGES, dense=TSIT5_DENSE)

_RODAS4_LAST = (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.687886036105895)
RODAS4 = Method(
    "rodas4",
    3,
    (0.0, 0.386, 0.21, 0.63, 1.0, 1.0),
    (
        (),
        (1.544,),
        (0.9466785280815826, 0.2557011698983284),
        (3.314825187068521, 2.896124015972201, 0.9986419139977817),
        _RODAS4_LAST,
        (*_RODAS4_LAST, 1.0),
    ),
    (
        (),
        (-5.6688,),
        (-2.430093356833875, -0.2063599157091915),
        (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
        (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.7089089320616),
        (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
    ),
    0.25,
    (0.25, -0.1043, 0.1035, -0.03620000000000023, 0.0, 0.0),
    (
        (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662, 0.0),
        (-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872, 0.0),
    ),
)

_RODAS5P_LAST = (
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
)
RODAS5P = Method(
    "rodas5p",
    4,
    (0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0),
    (
        (),
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        _RODAS5P_LAST,
        (*_RODAS5P_LAST, 1.0),
        (*_RODAS5P_LAST, 1.0, 1.0),
    ),
    (
        (),
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
        (
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ),
        (
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ),
    ),
    0.21193756319429014,
    (
        0.21193756319429014,
        -0.42387512638858027,
        -0.3384627126235924,
        1.8046452872882734,
        2.325825639765069,
        0.0,
        0.0,
        0.0,
    ),
    (
        (
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ),
        (
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ),
        (
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            4.883087185713722,
        ),
    ),
)
METHODS = {m.name: m for m in (TSIT5, RODAS4, RODAS5P)}


def exponents(method: Method) -> tuple[float, float, float]:
    """Powers of the error now, the error before, and the error of a rejected step."""
    share = (TSIT5.estimate + 1) / (method.estimate + 1)
    return EXPONENT_NOW * share, EXPONENT_BEFORE * share, EXPONENT_REJECTED * share


# Step control. The error of a step grows with its length to the power 5 (an estimate of order 4, and one more), so the
# length that would just be allowed is h * error ** (-1/5), if the next step is like this one.
#
# After an accepted step the factor is SAFETY * error ** -EXPONENT_NOW * error_before ** EXPONENT_BEFORE, a proportional
# and integral controller: an error that rises from step to step holds the next one back before it is refused. Without a
# share of the error before, explicit steps swing around the limit of stability, where every few of them are refused;
# with a larger share they grow too slowly after a dose. The two exponents leave 0.11 for an error that does not change.
EXPONENT_NOW = 0.17
EXPONENT_BEFORE = 0.06
# After a rejected step the error before says nothing about the length that is right, and the full power is taken, from
# this step alone. The error before stays that of the last accepted step.
EXPONENT_REJECTED = 1 / 5
# An estimate is only an estimate: aim a little below what is allowed, so that the next step is seldom refused.
SAFETY = 0.9
# An error far from 1 is outside the range in which the power holds; a value that is not finite has no error at all, and
# the step shrinks by the same bound.
SHRINK = 0.2
GROW = 5.0
# An error of 0 (nothing moves) would ask for an endless step now, and for none at all as the error before.
ERROR_FLOOR = 1e-8
ERROR_AT_START = 1.0
FIRST_STEP = 0.01
FIRST_STEP_GROWTH = 100.0
FIRST_STEP_LEAST = 1e-9
# A segment that ends within a hundredth of a step is ended by this step: the alternative is one more step, a crumb that
# costs as much as any other.
STRETCH = 1.01
# Below this length, in units of the day reached (or of LEAST_DAY), t + h is hardly another number than t. A refused
# step that would have to be shorter ends the patient's course with a status: the equations jump, or are too stiff
# for the method. The day is that of the step, not the last one asked for: a course of 1e9 days may begin with steps
# of 1e-5.
LEAST_STEP = 1e-13
LEAST_DAY = 1e-12

# Which method is at work may change within a course, for each patient by itself. What decides is measured on the
# way: a step of the stiff method costs as much as ``cost.ratio`` explicit ones, so the method that covers more days
# for the same arithmetic is the better one. Each method keeps the step with which the other was left; TURN steps in
# a row that cover less than the other would for the same cost send the patient over, and AT_ONCE if there was no
# other step since coming.
TURN = 8
AT_ONCE = 4
# That alone would never find out what the other method can do by now, so after ASK (ASK_BACK) steps it is tried;
# each time in vain doubles the wait, up to MOST_FAILED times. A trial must be worth it: more than WORTH steps are
# left of the course.
ASK, ASK_BACK = 32, 96
MOST_FAILED = 6
WORTH = 10.0
# The last two stages of tsit5 are both taken at the end of the step, so the change of the rates between them over
# the change of the state estimates the largest rate constant that is felt (Hairer and Wanner 1996, IV.2). Times the
# length of the step it can be no more than the stability limit, 3.5. Below FELT nothing is stiff and the stiff
# method is not tried (nor compiled); at BINDS and above stability is near, and such a step counts as URGENT ones
# towards ASK. Between the two lies what tight tolerances meet: steps far below the stability limit that fast rates
# still make short, since each further term of the error carries one more power of the rate.
FELT, BINDS, URGENT = 0.4, 2.0, 4

REFERENCE_RTOL = 1e-5
"""The relative tolerance for which ``State.scale`` is the absolute one; another rtol moves both alike."""

MAX_STEPS = 100_000
RTOL = 3e-8
"""Relative tolerance where none is given: the reference model's observables keep 1e-3 in 99 of 100 patients (measured
against 1e-11: 2.6e-4 over 100 patients with "auto", 1.1e-3 with "tsit5"; at 1e-6 they err by 4 to 11 %)."""
PACE = "clock pace"
"""Level of a model whose patients have clocks of their own: days per unit of the clock; the longest step is in days."""

OK, STEP_TOO_SMALL, TOO_MANY_STEPS, NOT_FINITE, NOT_SOLVED = range(5)
STATUS = {
    OK: "solved",
    STEP_TOO_SMALL: "the step size became too small: the equations jump or are too stiff for this patient",
    TOO_MANY_STEPS: "too many steps in one advance",
    NOT_FINITE: "the equations gave a value that is not finite",
    NOT_SOLVED: "the linear equations of a step could not be solved accurately",
}
