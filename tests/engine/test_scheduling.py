"""Instructions in another order: the same ones, each after what it needs."""

import re

from hypothesis import given
from hypothesis import strategies as st

from vein2vein.engine.llvm.scheduling import interleaved

STEP = st.tuples(st.sampled_from(["fadd", "fdiv", "fmul", "load"]), st.integers(0, 50), st.integers(0, 50))


def written(steps):
    """Instructions on the values before them; every third is stored."""
    lines = ["  %v0 = load <2 x double>, ptr %x, align 8"]
    for i, (op, a, b) in enumerate(steps, start=1):
        operands = "ptr %x" if op == "load" else f"<2 x double> %v{a % i}, %v{b % i}"
        lines.append(f"  %v{i} = {op} {operands}")
        if i % 3 == 0:
            lines += [f"  %a{i} = getelementptr <2 x double>, ptr %out, i64 {i}", f"  store %v{i}, ptr %a{i}"]
    return lines


@given(st.lists(STEP, max_size=200))
def test_every_instruction_stands_once_and_after_its_operands(steps):
    lines = written(steps)
    found = interleaved(lines)
    assert sorted(found) == sorted(lines)
    known = {"%x", "%out"}
    for line in found:
        left, _, right = line.partition(" = ")
        assert set(re.findall(r"%\w+", right or left)) <= known
        known.add(left.strip())


def test_a_value_is_stored_as_soon_as_it_is_there():
    chain = [f"  %v{i} = fmul <2 x double> %v{i - 1}, %v{i - 1}" for i in range(1, 9)]
    lines = [*chain, "  store <2 x double> %v1, ptr %out, align 8", "  store <2 x double> %v8, ptr %last, align 8"]
    found = interleaved(lines)
    assert sorted(found) == sorted(lines)
    assert found.index(lines[-2]) < 4 and found[-1] == lines[-1]


def test_chains_that_do_not_need_each_other_take_turns():
    chains = [[f"  %{c}{i} = fmul <2 x double> %{c}{i - 1}, %x" for i in range(1, 4)] for c in "vwyz"]
    found = interleaved([line for chain in chains for line in chain])
    assert found == [chain[i] for i in range(3) for chain in chains]
