"""What small programs can end with under each memory model: the complete set of what their loads return."""

import pytest

from tests.stress.explore.flavours import explored, interpreted

X, Y, Z, U = range(4)
LIMIT = 1_000_000  # schedules of an exhaustive search
SAMPLED = 6000  # schedules under RMO, which samplers explore
MEMORIES = ("sc", "tso", "pso", "rmo")


def store(variable, value):
    return "STORE", variable, value


def release(variable, value):
    return "STORE_RELEASE", variable, value


def load(variable):
    return "LOAD", variable, 0


def exchange(variable, value):
    return "EXCHANGE", variable, value


def exchange_relaxed(variable, value):
    return "EXCHANGE_RELAXED", variable, value


FENCE = ("FENCE", 0, 0)
READ_Y_X, READ_X_Y = [load(Y), load(X)], [load(X), load(Y)]
IN_ORDER = {(0, 0), (0, 1), (1, 1)}  # of a reader of two words: never the second new and the first old
OUT_OF_ORDER = IN_ORDER | {(1, 0)}
#: name: threads, what their loads and exchanges may return, by memory model; where one is missing, it is as the one before
PROGRAMS = {
    "a store is seen late by other CPUs": (
        [[store(X, 1), load(Y)], [store(Y, 1), load(X)]],
        {"sc": {(0, 1), (1, 0), (1, 1)}, "tso": {(0, 0), (0, 1), (1, 0), (1, 1)}},
    ),
    "a store is seen immediately by its own CPU": (
        [[store(X, 1), load(X), load(Y)], [store(Y, 1), load(Y), load(X)]],
        {"sc": {(1, 0, 1, 1), (1, 1, 1, 0), (1, 1, 1, 1)}, "tso": {(1, 0, 1, 0), (1, 0, 1, 1), (1, 1, 1, 0), (1, 1, 1, 1)}},
    ),
    "stores to two words: TSO flushes them in order, PSO in any": (
        [[store(X, 1), store(Y, 1)], READ_Y_X],
        {"sc": IN_ORDER, "pso": OUT_OF_ORDER},
    ),
    "stores to one word are flushed in order": (
        [[store(X, 1), store(X, 2)], [load(X), load(X)]],
        {"sc": {(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)}},
    ),
    "a fence drains the buffer": (
        [[store(X, 1), FENCE, load(Y)], [store(Y, 1), FENCE, load(X)]],
        {"sc": {(0, 1), (1, 0), (1, 1)}},
    ),
    "a locked exchange drains the buffer": (
        [[store(X, 1), exchange(Z, 1), load(Y)], [store(Y, 1), exchange(U, 1), load(X)]],
        {"sc": {(0, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 1)}},
    ),
    "a relaxed exchange does not drain the buffer of PSO": (
        [[store(X, 1), exchange_relaxed(Y, 1)], READ_Y_X],
        {"sc": {(0, *seen) for seen in IN_ORDER}, "pso": {(0, *seen) for seen in OUT_OF_ORDER}},
    ),
    "a relaxed exchange waits for the stores to its word": (
        [[store(X, 1), exchange_relaxed(X, 2), load(X)], [load(X)]],
        {"sc": {(1, 2, seen) for seen in range(3)}},
    ),
    "a fence between the stores orders them, and no loads": (
        [[store(X, 1), FENCE, store(Y, 1)], READ_Y_X],
        {"sc": IN_ORDER, "rmo": OUT_OF_ORDER},
    ),
    "a release waits for the stores before it": (
        [[store(X, 1), release(Y, 1)], READ_Y_X],
        {"sc": IN_ORDER, "rmo": OUT_OF_ORDER},
    ),
    "a store may pass a release before it": (
        [[release(Y, 1), store(X, 1)], READ_X_Y],
        {"sc": IN_ORDER, "pso": OUT_OF_ORDER},
    ),
    "a fence between the loads orders them": (
        [[store(X, 1), release(Y, 1)], [load(Y), FENCE, load(X)]],
        {"sc": IN_ORDER},
    ),
    "a load may return any older value": (
        [[store(X, 1), store(X, 2), release(Y, 1)], READ_Y_X],
        {"sc": {(0, 0), (0, 1), (0, 2), (1, 2)}, "rmo": {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)}},
    ),
    "a load does not return a later value": (
        [[load(X), store(Y, 1)], [load(Y), store(X, 1)]],
        {"sc": {(0, 0), (0, 1), (1, 0)}},
    ),
    "an early load sees its CPU's own store": (
        [[store(X, 1), load(X)], [store(X, 2), FENCE, load(X)]],
        {"sc": {(1, 2), (1, 1), (2, 2)}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=MEMORIES)
def machine(request):
    from stress.litmus.programs import Programs

    made = Programs(request.param)
    yield made
    made.engine.close()


def seen_in_all_schedules(machine, threads):
    """What the loads and exchanges of a program return, in every schedule, or under RMO in many random ones."""
    from stress.explore import state
    from stress.litmus import tape
    from stress.litmus.tape import Operation

    engine = machine.engine
    machine.load([[Operation(getattr(tape, kind), variable, value) for kind, variable, value in thread] for thread in threads], [])
    loads = [(cpu, k) for cpu, thread in enumerate(threads) for k, (kind, *_) in enumerate(thread) if kind[:4] in ("LOAD", "EXCH")]
    exhaustive = engine.memory != "rmo"
    engine.begin("dfs" if exhaustive else "pos", 1)
    engine.forget_states()
    found, number, end = set(), 0, LIMIT if exhaustive else SAMPLED
    while number < end:
        number = engine.explore(number, end - number, note_every=1)
        assert engine.found() is None
        if engine.verdict == "clean":
            found.add(tuple(machine.seen(cpu, k) for cpu, k in loads))
        if engine.stop == state.STOP_COMPLETE:
            return found
    assert not exhaustive, "the search did not end"
    return found


@explored
@pytest.mark.parametrize("name", PROGRAMS)
def test_loads_return_what_the_memory_model_allows_and_all_of_it(machine, name):
    threads, allowed = PROGRAMS[name]
    known = [memory for memory in MEMORIES[: MEMORIES.index(machine.engine.memory) + 1] if memory in allowed]
    assert seen_in_all_schedules(machine, threads) == allowed[known[-1]]


# ------------------------------------------------------------------------------------------------------------------- words


@interpreted
@pytest.mark.parametrize(
    ("width", "value", "kept"),
    [(1, 127, 127), (1, 128, -128), (1, -129, 127), (4, 1 << 31, -(1 << 31)), (4, -1, -1), (4, 5 + (1 << 32), 5), (8, 1 << 62, 1 << 62)],
)
def test_a_field_keeps_a_value_as_wide_as_it_is(width, value, kept):
    from stress.explore.memory_models import narrowed

    assert narrowed(width, value) == kept


@interpreted
def test_every_bit_of_a_word_and_its_place_change_the_hash():
    from stress.explore.memory_models import state_part

    values = [0, *(1 << bit for bit in range(63)), -(1 << 63)]
    for offset in (8, 16, 24):
        assert len({state_part(offset, value) for value in values} - {state_part(offset, 0)}) >= 48
        assert sum(state_part(offset, value) == state_part(offset, 0) for value in values) == 1
    assert len({state_part(8 * k, 5) for k in range(1000)}) == 1000
    assert all(0 <= state_part(8, value) < 1 << 48 for value in values)


@interpreted
def test_a_write_wakes_other_readers_of_the_word_and_is_undone():
    import ctypes

    from stress.explore import state
    from stress.explore.memory_models import seen_bit, undo_writes, write_memory

    memory = (ctypes.c_int64 * 4)(5, 6, 7, 8)
    words = [0] * state.STRATEGY_WORDS
    words[state.NR_TASKS], words[state.NR_POINTS] = 3, 9
    address = ctypes.addressof(memory)
    for task in (0, 1):
        words[state.SEEN + task] = seen_bit(words, address)
    words[state.SEEN + 2] = seen_bit(words, address + 8)
    write_memory(words, 0, address, 8, 50)
    write_memory(words, 0, address + 16, 4, 70)
    write_memory(words, 0, address, 8, 51)
    assert list(memory) == [51, 6, 70, 8]
    assert [words[state.WOKEN + task] for task in range(3)] == [0, 9, 0]  # not the writer, and not the reader of another word
    changed = words[state.HASH]
    undo_writes(words)
    assert list(memory) == [5, 6, 7, 8]
    write_memory(words, 0, address, 8, 5)  # the same value is no write
    assert (words[state.NR_UNDO], words[state.HASH]) == (0, changed)
