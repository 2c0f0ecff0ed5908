"""Each strategy draws its schedules as its definition says: chi-square tests, fixed seeds, against counting or a plain reimplementation.

Threads only store, so that nobody waits and an interleaving is a word over the threads' numbers. `x` is the variable that all touch.
"""

import math
import random
from collections import Counter
from itertools import combinations

import pytest

from tests.stress.explore.flavours import explored

pytestmark = explored

NR_SCHEDULES = 12_000
X = 7  # the variable that all touch; below it each thread has one of its own


@pytest.fixture(scope="module")
def machine():
    from stress.litmus.programs import Programs

    made = Programs("sc")
    yield made
    made.engine.close()


def interleavings(machine, threads, strategy, nr_schedules=NR_SCHEDULES, seed=5):
    """The schedules that a strategy runs; `threads` says for each access of each whether it is to x."""
    from stress.explore import state
    from stress.litmus import tape
    from stress.litmus.tape import Operation

    program = [[Operation(tape.STORE, X if shared else number, 1) for shared in thread] for number, thread in enumerate(threads)]
    machine.load(program, [])
    engine = machine.engine
    engine.begin(strategy, seed)
    found = []
    for number in range(nr_schedules):
        engine.explore(number, 1)
        if engine.verdict == "clean":
            found.append(tuple(engine.choices()))
        if engine.stop == state.STOP_COMPLETE:
            break
    return found


def all_words(lengths):
    """Every interleaving of two threads of these lengths."""
    size = sum(lengths)
    return {tuple(0 if at in places else 1 for at in range(size)) for places in combinations(range(size), lengths[0])}


def agrees(observed, expected):
    """Whether counts fit probabilities: chi-square below its mean by no more than five standard deviations above it."""
    total = sum(observed.values())
    assert set(observed) <= set(expected)
    chi = sum((observed[each] - total * p) ** 2 / (total * p) for each, p in expected.items() if p > 0)
    freedom = len(expected) - 1
    return chi < freedom + 5 * math.sqrt(2 * freedom)


def uniform(words):
    return dict.fromkeys(words, 1 / len(words))


def same_distribution(one, other):
    """Whether two samples of one size are of one distribution: chi-square of two samples, seldom words together."""
    rare = {word for word in {*one, *other} if one[word] + other[word] < 10}
    cells = [(one[word], other[word]) for word in {*one, *other} - rare]
    cells.append((sum(one[word] for word in rare), sum(other[word] for word in rare)))
    chi = sum((a - b) ** 2 / (a + b) for a, b in cells if a + b)
    return chi < len(cells) + 5 * math.sqrt(2 * len(cells))


def test_a_random_walk_draws_every_choice_uniformly(machine):
    threads = [[True] * 4, [False] * 2, [True] * 3]
    counts = {}
    for word in interleavings(machine, threads, "random"):
        left = [len(thread) for thread in threads]
        for chosen in word:
            enabled = tuple(task for task, count in enumerate(left) if count)
            counts.setdefault(enabled, Counter())[chosen] += 1
            left[chosen] -= 1
    assert len(counts) == 7
    for enabled, drawn in counts.items():
        assert len(enabled) == 1 or agrees(drawn, uniform(enabled)), (enabled, drawn)


def test_urw_draws_every_interleaving_uniformly_and_a_random_walk_does_not(machine):
    threads, words = [[True] * 3, [True] * 5], uniform(all_words((3, 5)))
    assert agrees(Counter(interleavings(machine, threads, "urw")), words)
    assert not agrees(Counter(interleavings(machine, threads, "random")), words)


def test_surw_interleaves_the_accesses_to_the_word_uniformly_and_a_random_walk_does_not(machine):
    threads = [[False, True, False, False, True, False, False, False, True], [True, True, False]]

    def projected(strategy):
        words = Counter()
        for word in interleavings(machine, threads, strategy):
            at = [0, 0]
            kept = []
            for chosen in word:
                if threads[chosen][at[chosen]]:
                    kept.append(chosen)
                at[chosen] += 1
            words[tuple(kept)] += 1
        return words

    expected = uniform(all_words((3, 2)))
    assert agrees(projected("surw"), expected)
    assert not agrees(projected("random"), expected)


def pct_words(threads, depth, nr_points, chance, nr_schedules):
    """PCT as the paper defines it, points counted where there is a choice."""
    for _ in range(nr_schedules):
        priority = list(range(depth, depth + len(threads)))
        chance.shuffle(priority)
        changes = chance.sample(range(1, nr_points + 1), depth - 1)
        left, point, word = [len(thread) for thread in threads], 0, []
        while any(left):
            enabled = [task for task, count in enumerate(left) if count]
            if len(enabled) > 1:
                point += 1
                for k, change in enumerate(changes):
                    if change == point:
                        priority[max(enabled, key=priority.__getitem__)] = depth - 1 - k
            chosen = max(enabled, key=priority.__getitem__)
            word.append(chosen)
            left[chosen] -= 1
        yield tuple(word)


@pytest.mark.parametrize("depth", [2, 3])
def test_pct_draws_priorities_and_change_points_as_defined(machine, depth):
    threads = [[True] * 4, [True] * 3, [True] * 3]
    ours = Counter(interleavings(machine, threads, f"pct-{depth}"))
    assert same_distribution(ours, Counter(pct_words(threads, depth, 10, random.Random(3), NR_SCHEDULES)))
    other = Counter(pct_words(threads, 5 - depth, 10, random.Random(3), NR_SCHEDULES))
    assert not same_distribution(ours, other)


@pytest.mark.parametrize("depth", [2, 3])
def test_pct_keeps_its_guarantee(machine, depth):
    """A bug of depth d is d orders of accesses; each schedule meets them with odds of at least 1 / (n k^(d-1))."""
    threads = [[True] * 6, [True] * 5]
    words = interleavings(machine, threads, f"pct-{depth}")
    wanted = len(words) / (2 * 11 ** (depth - 1))
    # depth 2: thread 1 makes all its accesses between accesses i and i + 1 of thread 0; depth 3: its first j of them
    for i in range(1, 6):
        if depth == 2:
            met = sum(word[:i] == (0,) * i and word[i : i + 5] == (1,) * 5 for word in words)
        else:
            met = min(sum(word[: i + j + 1] == (0,) * i + (1,) * j + (0,) for word in words) for j in range(1, 5))
        assert met >= wanted - 4 * math.sqrt(wanted), (i, met, wanted)


def pos_words(threads, chance, nr_schedules):
    """POS as the paper defines it: who ran draws anew, and whose pending access races with what was done (x is always written)."""
    for _ in range(nr_schedules):
        priority = [chance.random() for _ in threads]
        at, word = [0] * len(threads), []
        while any(at[task] < len(thread) for task, thread in enumerate(threads)):
            enabled = [task for task, thread in enumerate(threads) if at[task] < len(thread)]
            chosen = max(enabled, key=priority.__getitem__)
            shared = threads[chosen][at[chosen]]
            word.append(chosen)
            at[chosen] += 1
            for task in enabled:
                if task == chosen or (shared and threads[task][at[task]]):
                    priority[task] = chance.random()
        yield tuple(word)


def test_pos_draws_anew_for_those_that_race_alone(machine):
    threads = [[True, False, True], [False, True, False], [False, False, True]]
    ours = Counter(interleavings(machine, threads, "pos"))
    assert same_distribution(ours, Counter(pos_words(threads, random.Random(3), NR_SCHEDULES)))
    all_race = [[True] * 3] * 3
    assert not same_distribution(ours, Counter(pos_words(all_race, random.Random(3), NR_SCHEDULES)))


def preemptions(word, threads):
    left = [len(thread) for thread in threads]
    found, last = 0, None
    for chosen in word:
        found += last is not None and chosen != last and left[last] > 0
        left[chosen] -= 1
        last = chosen
    return found


def delays(word, threads):
    """How many delays of round robin make a word."""
    left, last, found = [len(thread) for thread in threads], 0, 0
    for chosen in word:
        enabled = [task for task, count in enumerate(left) if count]
        turns = [task for task in enabled if task >= last] + [task for task in enabled if task < last]
        found += turns.index(chosen)
        left[chosen] -= 1
        last = chosen
    return found


@pytest.mark.parametrize(("strategy", "cost"), [("dfs", None), ("preemption", preemptions), ("delay", delays)])
def test_systematic_strategies_run_every_interleaving_by_rising_cost(machine, strategy, cost):
    threads = [[True] * 2, [True] * 3, [True] * 2]
    words = interleavings(machine, threads, strategy, 1_000_000)
    expected = math.factorial(7) // (2 * 6 * 2)
    assert len(set(words)) == expected
    first_seen = list(dict.fromkeys(words))
    if cost is None:
        assert len(words) == expected
    else:
        costs = [cost(word, threads) for word in first_seen]
        assert costs == sorted(costs)
        assert costs[-1] > 3
