"""What random walks show: steps of each task, accesses to each shared word, words that are private."""

from stress.explore import state
from tests.stress.explore.flavours import explored

X, READ = 7, 8
pytestmark = explored


def test_steps_and_accesses_to_shared_words_are_counted():
    from stress.litmus import tape
    from stress.litmus.programs import VARIABLE_STRIDE, Programs
    from stress.litmus.tape import Operation

    machine = Programs("sc")
    try:
        engine, words = machine.engine, machine.engine.words
        own, shared, read = (lambda cpu: Operation(tape.STORE, cpu, 1)), Operation(tape.STORE, X, 1), Operation(tape.LOAD, READ)
        machine.load([[own(0), shared, own(0), shared], [shared, own(1), read], [read, Operation(tape.LOAD, X)]], [])
        engine.begin("surw", 1)
        assert [words[state.PROFILE_STEPS + task] for task in range(4)] == [4, 3, 2, 0]
        assert words[state.POINTS_EXPECTED] == 9
        address = engine.mem.arrays["contents"][X * VARIABLE_STRIDE :].ctypes.data
        assert (words[state.NR_PROFILED], words[state.PROFILE_ADDRESSES]) == (1, address)  # the others have one task, or are only read
        assert [words[state.PROFILE_COUNTS + task] for task in range(3)] == [2, 1, 1]
        machine.load([[own(0)]], [])  # another program
        engine.begin("surw", 1)
        assert words[state.PROFILE_STEPS] == 1
    finally:
        machine.engine.close()


def test_words_are_private_until_two_tasks_touch_them(engine_of):
    from tests.stress.explore.race_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    words, table = engine.words, {}
    for k in range(state.KNOWN_CAPACITY):
        if words[state.KNOWN + k]:
            table[int(words[state.KNOWN + k]) - engine.mem.base] = int(words[state.TOUCHED_BY + k])
    variant = engine.mem.arrays["scratch"].ctypes.data - engine.mem.base
    payload = engine.mem.arrays["contents"].ctypes.data - engine.mem.base
    assert table[variant] == state.READ_BY_MANY
    assert table[payload] == state.SHARED


def test_the_profile_does_not_depend_on_the_seed(engine_of):
    from stress.explore.models import all_models

    model, found = all_models()["offline-deflate"], []
    for seeds in ([1], [99, 5]):
        engine = engine_of(model)
        for seed in seeds:
            engine.set_tasks(model.nr_cpus)  # forgets the profile
            engine.begin("surw", seed)
        steps = engine.words[state.PROFILE_STEPS : state.PROFILE_STEPS + state.NR_SCHEDULABLE]
        counts = engine.words[state.PROFILE_COUNTS : state.PROFILE_COUNTS + state.PROFILED_MAX * state.NR_SCHEDULABLE]
        found.append((int(engine.words[state.POINTS_EXPECTED]), [int(word) for word in (*steps, *counts)]))
    assert found[0] == found[1]
