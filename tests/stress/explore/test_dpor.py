"""DPOR visits the same final states as brute force, on random programs with stores, exchanges, compare-and-swap, additions and locks."""

import random

import pytest

from kernels.base import jit

pytestmark = pytest.mark.skipif(not jit.EXPLORED or jit.INTERPRETED, reason="runs in the explored flavour, which test_explored.py starts")

NR_PROGRAMS = 120
BRUTE_FORCE_MAX = 100_000


def random_program(chance, memory, *, locks):
    from stress.explore import tape
    from stress.explore.tape import Operation

    def operation():
        kind = chance.choice([tape.STORE, tape.STORE, tape.LOAD, tape.LOAD, tape.FENCE, tape.EXCHANGE, tape.CAS, tape.ADD])
        if memory == "pso":
            kind = chance.choice([kind, {tape.STORE: tape.STORE_RELEASE, tape.EXCHANGE: tape.EXCHANGE_RELAXED}.get(kind, kind)])
        return Operation(kind, chance.randrange(2), chance.randrange(1, 3), chance.randrange(2))

    def thread(length):
        operations = [operation() for _ in range(length)]
        if locks and chance.random() < 0.8:
            operations.insert(chance.randrange(len(operations)), Operation(tape.LOCK, 3))
            operations.append(Operation(tape.UNLOCK, 3))
        return operations

    return [thread(chance.randrange(1, 3)) for _ in range(chance.choice([2, 2, 3]))]


def final_states(machine, program, strategy, limit=1 << 40):
    engine = machine.engine
    machine.load(program, [])
    engine.begin(strategy, 1)
    engine.forget_states()
    number = engine.explore(0, limit)
    assert engine.found() is None, (program, engine.found())
    from stress.explore import state

    return number, engine.stop == state.STOP_COMPLETE, set(engine.final_states())


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
@pytest.mark.parametrize("locks", [False, True], ids=["lock-free", "locks"])
def test_dpor_visits_the_final_states_of_brute_force(memory, locks):
    from stress.explore.programs import Programs

    machine = Programs(memory)
    chance = random.Random(f"{memory} {locks}")
    compared = reduced = 0
    for _ in range(NR_PROGRAMS):
        program = random_program(chance, memory, locks=locks)
        nr_brute, complete, brute = final_states(machine, program, "dfs", BRUTE_FORCE_MAX)
        nr_dpor, dpor_complete, found = final_states(machine, program, "dpor")
        assert dpor_complete
        assert nr_dpor <= nr_brute
        if complete:
            assert found == brute, (program, len(found), len(brute), nr_dpor)
            compared += 1
            reduced += nr_dpor < nr_brute
        else:
            assert brute <= found, program
    assert compared > NR_PROGRAMS * 0.7
    assert reduced > compared * 0.5
