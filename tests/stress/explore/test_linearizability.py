"""The search for an order of a history: what has one, what has none, and why an object is searched alone."""

import itertools
import random

from stress.explore.linearizability import ALLOCATOR, REFCOUNT, RecordedCall, not_linearizable


def op(name, result, invoked, returned, *, key=7, cpu=0):
    return RecordedCall(cpu, name, key, result, invoked, returned)


START = op("unfreeze", 1, 0, 1)


def test_a_get_may_fail_only_while_the_count_can_have_been_frozen():
    frozen = (op("freeze", 1, 1, 3), op("unfreeze", 1, 3, 5))
    assert not_linearizable((START, *frozen, op("try_get", 0, 2, 4, cpu=1)), REFCOUNT) is None
    late = (START, *frozen, op("try_get", 0, 5, 6, cpu=1))
    assert not_linearizable(late, REFCOUNT) == late


def test_exactly_one_of_two_puts_is_the_last():
    got = op("try_get", 1, 1, 2, cpu=1)
    for first, second in itertools.product((0, 1), repeat=2):
        history = (START, got, op("put", first, 2, 4), op("put", second, 2, 5, cpu=1))
        assert (not_linearizable(history, REFCOUNT) is None) == (first != second)
    in_turn = (START, got, op("put", 1, 2, 3), op("put", 0, 3, 5, cpu=1))  # the last put came first
    assert not_linearizable(in_turn, REFCOUNT) is not None


def test_a_frame_is_handed_out_once_and_never_refused():
    alloc, free = op("alloc", 7, 0, 1), op("free", 0, 1, 5)
    assert not_linearizable((alloc, free, op("alloc", 7, 2, 3, cpu=1)), ALLOCATOR) is None
    twice = (alloc, op("free", 0, 3, 5), op("alloc", 7, 1, 2, cpu=1))
    assert not_linearizable(twice, ALLOCATOR) == twice
    refused = op("alloc", -1, 2, 3, key=0, cpu=1)
    assert not_linearizable((alloc, free, refused), ALLOCATOR) == (refused,)


def test_the_search_agrees_with_every_order():
    """Against all permutations, on random histories of six operations."""
    chance, verdicts = random.Random(1), set()
    for _ in range(400):
        moments = [sorted(chance.sample(range(8), 2)) for _ in range(5)]
        names = [chance.choice(("try_get", "try_get", "put", "put", "freeze")) for _ in moments]
        history = (op("unfreeze", 1, -2, -1), *(op(name, chance.randrange(2), *pair) for name, pair in zip(names, moments, strict=True)))
        found = not_linearizable(history, REFCOUNT) is None
        assert found == any(_is_run(order) for order in itertools.permutations(history))
        verdicts.add(found)
    assert verdicts == {True, False}


def _is_run(order):
    if any(later.returned <= earlier.invoked for earlier, later in itertools.combinations(order, 2)):
        return False
    count = REFCOUNT.initial
    for each in order:
        count = REFCOUNT.following(count, each.name, each.result)
        if count is None:
            return False
    return True
