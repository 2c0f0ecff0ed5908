"""What random walks show: steps of each task, accesses to each shared word, words that are private."""

from stress.explore import state
from tests.stress.explore.flavours import explored

X = 7
pytestmark = explored


def test_steps_and_accesses_to_shared_words_are_counted():
    from stress.litmus import tape
    from stress.litmus.programs import VARIABLE_STRIDE, Programs
    from stress.litmus.tape import Operation

    machine = Programs("sc")
    try:
        engine, words = machine.engine, machine.engine.words
        own, shared = (lambda cpu: Operation(tape.STORE, cpu, 1)), Operation(tape.STORE, X, 1)
        machine.load([[own(0), shared, own(0), shared], [shared, own(1)], [own(2), Operation(tape.LOAD, X)]], [])
        engine.begin("surw", 1)
        assert [words[state.PROFILE_STEPS + task] for task in range(4)] == [4, 2, 2, 0]
        assert words[state.POINTS_EXPECTED] == 8
        address = engine.mem.arrays["contents"][X * VARIABLE_STRIDE :].ctypes.data
        assert (words[state.NR_PROFILED], words[state.PROFILE_ADDRESSES]) == (1, address)  # the other words have one task each
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

    found = []
    for seed in (1, 99):
        engine = engine_of(all_models()["refcount-cas"], "tso")
        engine.begin("urw", seed)
        found.append([int(word) for word in engine.words[state.PROFILE_STEPS : state.PROFILE_STEPS + state.NR_SCHEDULABLE]])
    assert found[0] == found[1]
    assert sum(found[0]) > 10
