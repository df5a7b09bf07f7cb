"""SAEM: stochastic approximation of the EM algorithm (Kuhn and Lavielle 2005), with the settings that were measured.

An iteration walks the chains by some twenty proposals for every subject and makes one step of the estimates. While
it explores, the gain is 1; then it falls as k^-0.7 and the estimates are averages. Its state can be kept after any
iteration and taken up again to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vein2vein.inference.population import chains as walking
from vein2vein.inference.population import steps
from vein2vein.inference.population.chains import Chains, Target, Walk
from vein2vein.inference.population.population import Population
from vein2vein.inference.population.residual import names_of
from vein2vein.inference.population.steps import Estimates

Floats = NDArray[np.float64]

# solver coefficients: measured on theophylline, Oral_1CPT, phenobarbital, warfarin and 30 data sets of Stein's model
FALLING = 0.7  # the gain of averaging is k to the minus this
BURN = 5  # iterations with more proposals, before the chains have found their subjects
LEARN_FROM, BLOCKS_FROM = 10, 100  # iterations after which covariances are learnt, and used (half of exploring at most)
ROBUST_UNTIL = 100  # iterations in which far predictions may not inflate an error (half of exploring at most)
FROM_POPULATION, LEARNT_BLOCKS = 2, 3  # proposals of each kind in an iteration
STEERING = 0.5  # gain at first with which steps are steered; it falls as k^-0.7 from iteration 30 on
STEADY = 30
CHAINS = 50  # chains of all subjects together at least
ROWS, ROWS_SOLVED = 4000, 1000  # and as many as give so many predictions: by a closed form, or by equations


@dataclass
class State:
    """Where SAEM stands; every number that the next iteration needs.

    Attributes
    ----------
    iteration : int
        Iterations done.
    estimates : Estimates
    chains : Chains
    rng : numpy.random.Generator
    trace : list of ndarray
        A row after each iteration; ``trace_names`` says of what.
    """

    iteration: int
    estimates: Estimates
    chains: Chains
    rng: np.random.Generator
    trace: list[Floats] = field(default_factory=list[Floats])


def target_of(population: Population, now: Estimates) -> Target:
    """The distribution that chains walk in under some estimates."""
    return Target(population.mean(now.beta), now.omega, now.gamma, now.sigma)


def begin(population: Population, seed: int) -> State:
    """The state before the first iteration."""
    rng = np.random.Generator(np.random.PCG64(seed))
    now = steps.begin(population)
    return State(0, now, walking.begin(population, target_of(population, now), copies_of(population), rng), rng)


def copies_of(population: Population) -> int:
    """Chains of each subject: the noise of an iteration falls with them, and a few more cost little time."""
    if asked := population.problem.settings.copies:
        return asked
    rows = ROWS if population.closed else ROWS_SOLVED
    return max(1, -(-CHAINS // population.subjects), rows // len(population.layout.rows))


def iterations_of(population: Population) -> int:
    """How many iterations there are in all."""
    return population.problem.settings.exploring + population.problem.settings.averaging


def iterate(population: Population, state: State) -> None:
    """One iteration, in place."""
    exploring = population.problem.settings.exploring
    k = state.iteration + 1
    now, chains = state.estimates, state.chains
    learning = 0.0
    if k <= exploring:  # kernels stand still while the estimates are averaged
        learning = STEERING / max(1, k - STEADY + 1) ** FALLING
    walk = Walk(population, target_of(population, now), state.rng, learning)
    more = k <= BURN
    walk.each_given_the_others(chains)
    walk.from_population(chains, FROM_POPULATION + (3 if more else 0))
    for _ in range(2 if more else 1):
        walk.one_at_a_time(chains)
    early = exploring // 2
    if k > min(BLOCKS_FROM, early):
        walk.learnt_blocks(chains, LEARNT_BLOCKS)
    else:
        walk.random_blocks(chains, 1)
    if LEARN_FROM < k <= exploring:
        walking.learn(chains, now.omega, max(0.02, 1.0 / (k - LEARN_FROM + 1) ** FALLING))
    gain = 1.0 if k <= exploring else 1.0 / (k - exploring) ** FALLING
    changed = steps.maximize(
        population, chains, now, gain, state.rng, annealing=k <= early, robust=k <= min(ROBUST_UNTIL, early)
    )
    walking.refresh(population, chains, target_of(population, now), predictions=changed)
    state.trace.append(values_of(population, now))
    state.iteration = k


def run(
    population: Population, state: State, told: Callable[[State], None] | None = None
) -> Iterator[State]:  # fmt: skip
    """Iterate to the end; yields after each iteration, so that whoever asks may keep the state or stop."""
    while state.iteration < iterations_of(population):
        iterate(population, state)
        if told is not None:
            told(state)
        yield state


def trace_names(population: Population) -> tuple[str, ...]:
    """What a row of the trace holds: coefficients, SDs of random effects and of occasions, errors."""
    names = population.problem.names
    return (
        *(one.name for one in population.coefficients),
        *(f"omega_{names[k]}" for k in population.random),
        *(f"gamma_{names[k]}" for k in population.changing),
        *(name for _, _, name in names_of(population.problem)),
    )


def values_of(population: Population, now: Estimates) -> Floats:
    """A row of the trace: coefficients on the Gaussian scale, SDs, errors."""
    errors = [now.sigma[e, w] for e, w, _ in names_of(population.problem)]
    return np.concatenate([now.beta, np.sqrt(np.diag(now.omega)), np.sqrt(now.gamma), errors])
