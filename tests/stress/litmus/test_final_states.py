"""The explorer ends in the states that plain enumeration ends in, on random litmus programs under every memory model."""

import random

import pytest

from kernels.base import flavour

pytestmark = pytest.mark.skipif(
    not flavour.EXPLORED or flavour.INTERPRETED, reason="runs in the explored flavour, which test_command.py starts"
)

NR_PROGRAMS = 60
SHAPES = [(2, 3), (3, 2), (2, 4), (1, 6), (2, 3), (8, 1), (2, 4), (4, 2)]  # threads, operations of each


def random_test(chance, number):
    nr_threads, length = SHAPES[number % len(SHAPES)]
    variables = ["x", "y", "z"][: chance.choice([2, 2, 3])]

    def operation(k):
        variable, value, register = chance.choice(variables), chance.randrange(1, 4), f"r{k}"
        return chance.choices(
            [
                ["W", variable, value],
                ["R", variable, register],
                ["F"],
                ["XCHG", variable, value, register],
                ["W", variable, value, "release"],
                ["XCHG", variable, value, register, "relaxed"],
            ],
            weights=[8, 8, 1, 1, 1, 1],
        )[0]

    threads = [[operation(k) for k in range(length)] for _ in range(nr_threads)]
    init = {name: chance.choice([0, 0, -1, 2**62]) for name in variables}
    return {"name": f"random {number}", "init": init, "threads": threads, "exists": f"{variables[0]}=1"}


def explored_states(machine, test, strategy, nr_schedules):
    from stress.explore import state

    engine = machine.engine
    machine.load(test.threads, test.initial)
    engine.begin(strategy, 1)
    engine.forget_states()
    found, number = set(), 0
    while number < nr_schedules:
        number = engine.explore(number, nr_schedules - number, note_every=1)
        assert engine.found() is None, (test, engine.found())
        if engine.verdict == "clean":
            memory = tuple(machine.variable(k) for k in range(len(test.variables)))
            found.add((memory, tuple(tuple(machine.seen(cpu, k) for k, _ in loads) for cpu, loads in enumerate(test.registers))))
        if engine.stop == state.STOP_COMPLETE:
            return found, True, int(engine.words[state.NR_STATES])
    return found, False, int(engine.words[state.NR_STATES])


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_dpor_ends_in_the_states_of_the_enumeration(memory):
    from stress.litmus.file import parse_test
    from stress.litmus.final_states import final_states
    from stress.litmus.programs import Programs

    machine, chance, relaxed = Programs(memory), random.Random(memory), 0
    for number in range(NR_PROGRAMS):
        test = parse_test(random_test(chance, number))
        wanted = final_states(test.threads, test.initial, memory)
        assert wanted is not None
        found, complete, nr_states = explored_states(machine, test, "dpor", 1 << 40)
        assert complete
        assert found == wanted, (test, found ^ wanted)
        assert nr_states == len(wanted), test  # the hash of a final state covers all of it
        relaxed += wanted != final_states(test.threads, test.initial, "sc")
    assert relaxed >= 3 or memory == "sc"


@pytest.mark.parametrize("strategy", ["random", "pos", "pct-3"])
def test_a_sampler_sees_what_the_enumeration_allows_and_nothing_else(strategy):
    from stress.litmus.command import CLASSICS
    from stress.litmus.file import read_tests
    from stress.litmus.final_states import final_states
    from stress.litmus.programs import Programs

    machine = Programs("tso")
    for test in read_tests(CLASSICS):
        allowed = final_states(test.threads, test.initial, "tso")
        found, _, _ = explored_states(machine, test, strategy, 5_000)
        assert found <= allowed, test.name
        assert test.verdicts["tso"] == "forbidden" or any(test.exists(*test.named(*final)) for final in found), test.name
