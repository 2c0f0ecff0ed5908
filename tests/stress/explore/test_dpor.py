"""DPOR visits the same final states as brute force, on random programs: stores, exchanges, compare-and-swap, additions, locks, spins."""

import random

import pytest

from tests.stress.explore.flavours import explored

pytestmark = explored

NR_PROGRAMS, NR_PROGRAMS_NIGHTLY = 120, 300
KINDS = ("lock-free", "locks", "spins")
LOCK, FLAG = 3, 4  # variables
BRUTE_FORCE_MAX = 100_000


def random_program(chance, memory, kind):
    from stress.litmus import tape
    from stress.litmus.tape import Operation

    def operation():
        made = chance.choice([tape.STORE, tape.STORE, tape.LOAD, tape.LOAD, tape.FENCE, tape.EXCHANGE, tape.CAS, tape.ADD])
        if memory == "pso":
            made = chance.choice([made, {tape.STORE: tape.STORE_RELEASE, tape.EXCHANGE: tape.EXCHANGE_RELAXED}.get(made, made)])
        return Operation(made, chance.randrange(2), chance.randrange(1, 3), chance.randrange(2))

    def thread(length):
        operations = [operation() for _ in range(length)]
        if kind != "lock-free" and chance.random() < (0.8 if kind == "locks" else 0.4):
            operations.insert(chance.randrange(len(operations)), Operation(tape.LOCK, LOCK))
            operations.append(Operation(tape.UNLOCK, LOCK))
        return operations

    threads = [thread(chance.randrange(1, 3)) for _ in range(chance.choice([2, 2, 3]))]
    if kind == "spins":  # all others, perhaps with the lock held, for the first thread, which must not need the lock before
        locked = next((at for at, each in enumerate(threads[0]) if each.kind == tape.LOCK), len(threads[0]))
        threads[0].insert(chance.randrange(locked + 1), Operation(chance.choice([tape.STORE, tape.EXCHANGE, tape.ADD]), FLAG, 1))
        for each in threads[1:]:
            each.insert(chance.randrange(len(each) + 1), Operation(tape.SPIN, FLAG))
    return threads


def final_states(machine, program, strategy, limit=1 << 40):
    engine = machine.engine
    machine.load(program, [])
    engine.begin(strategy, 1)
    engine.forget_states()
    number = engine.explore(0, limit)
    assert engine.found() is None, (program, engine.found())
    from stress.explore import state

    return number, engine.stop == state.STOP_COMPLETE, set(engine.final_states())


def compare_with_brute_force(memory, kind, nr_programs, seed):
    """DPOR against a search without any reduction, which is given up where it takes too long: what it has seen must be there."""
    from stress.litmus.programs import Programs

    machine = Programs(memory)
    chance = random.Random(seed)
    compared = reduced = 0
    for _ in range(nr_programs):
        program = random_program(chance, memory, kind)
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
    assert compared > nr_programs * 0.7
    assert reduced > compared * 0.5


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
@pytest.mark.parametrize("kind", KINDS)
def test_dpor_visits_the_final_states_of_brute_force(memory, kind):
    compare_with_brute_force(memory, kind, NR_PROGRAMS, f"{memory} {kind}")


@pytest.mark.nightly
@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
@pytest.mark.parametrize("kind", KINDS)
def test_dpor_visits_the_final_states_of_brute_force_of_many_programs(memory, kind):
    compare_with_brute_force(memory, kind, NR_PROGRAMS_NIGHTLY, f"many {memory} {kind}")
