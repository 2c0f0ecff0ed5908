"""The generator against Marsaglia's own words in a few lines of Python."""

import pytest

from tests.kernels import kit


def xorshift128(x, y, z, w):
    while True:
        t = (x ^ x << 11) & 0xFFFFFFFF
        x, y, z = y, z, w
        w = w ^ w >> 19 ^ t ^ t >> 8
        yield w


@pytest.mark.parametrize("cpu", [0, 2])
def test_same_sequence_as_the_paper(machine, cpu):
    m = machine.on(cpu)
    expected = xorshift128(*(int(m[f"rng{k}"][cpu]) for k in range(4)))
    assert [m.random_bits() for _ in range(100)] == [next(expected) for _ in range(100)]


def test_below_stays_below(machine):
    drawn = {machine.random_below(3) for _ in range(100)}
    assert drawn == {0, 1, 2}
    assert machine.random_below(0) == machine.random_below(1) == 0


def test_seeds_and_cpus_differ():
    first = {(seed, cpu): kit.make_machine(seed=seed).on(cpu).random_bits() for seed in (1, 2) for cpu in (0, 1)}
    assert len(set(first.values())) == 4
    assert kit.make_machine(seed=2).on(1).random_bits() == first[2, 1]


@pytest.fixture(autouse=True)
def _compiled(built):
    pass
