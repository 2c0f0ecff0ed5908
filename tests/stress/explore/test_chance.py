"""The random numbers of the strategies: those of the C library's generator, and draws with the odds that they claim."""

import ctypes
from collections import Counter

import pytest

from stress.explore import state
from stress.explore.state import FLUSH, FLUSH_WEIGHT, NR_LANES, NR_TASKS, RANDOM, REMAINING
from tests.stress.explore.flavours import interpreted

pytestmark = interpreted
DRAWS = 20_000


@pytest.fixture
def words():
    made = [0] * state.STRATEGY_WORDS
    made[RANDOM], made[NR_TASKS], made[NR_LANES] = 12345, 4, 1
    return made


def test_the_generator_is_that_of_the_c_library(words):
    from stress.explore.chance import random_bits

    library = ctypes.CDLL(None)
    library.nrand48.restype = ctypes.c_long
    seed = (ctypes.c_ushort * 3)(*(words[RANDOM] >> 16 * k & 0xFFFF for k in range(3)))
    assert [random_bits(words) for _ in range(50)] == [library.nrand48(seed) for _ in range(50)]


def frequencies(draw):
    counts = Counter(draw() for _ in range(DRAWS))
    return {value: count / DRAWS for value, count in counts.items()}


def test_numbers_below_a_bound_and_members_of_a_set_are_equally_likely(words):
    from stress.explore.chance import random_below, random_member

    below = frequencies(lambda: random_below(words, 5))
    assert set(below) == set(range(5))
    members = frequencies(lambda: random_member(words, 1 << 2 | 1 << 7 | 1 << FLUSH))
    assert set(members) == {2, 7, FLUSH}
    assert max(abs(share - 1 / 5) for share in below.values()) < 0.02
    assert max(abs(share - 1 / 3) for share in members.values()) < 0.02


def test_weighted_members_have_the_odds_of_what_they_have_left_and_at_least_one(words):
    from stress.explore.chance import take_one, weighted_member

    words[REMAINING], words[REMAINING + 1], words[REMAINING + 3] = 6, 3, 0
    shares = frequencies(lambda: weighted_member(words, 0b1011))
    assert set(shares) == {0, 1, 3}
    for who, weight in ((0, 6), (1, 3), (3, 1)):
        assert abs(shares[who] - weight / 10) < 0.02
    for _ in range(4):
        take_one(words, 1)
    assert words[REMAINING + 1] == 0


def test_flushes_are_left_out_as_often_as_the_weight_says(words):
    from stress.explore.chance import without_lazy_flushes

    tasks, mask = 0b101, 0b101 | 1 << FLUSH
    for weight, share in ((0, 0.0), (1 << 30, 0.5), (1 << 31, 1.0)):
        words[FLUSH_WEIGHT] = weight
        shares = frequencies(lambda: without_lazy_flushes(words, mask))
        assert abs(shares.get(mask, 0) - share) < 0.02
        assert set(shares) <= {mask, tasks}
        assert without_lazy_flushes(words, 1 << FLUSH) == 1 << FLUSH  # the only choice


def test_a_schedule_draws_early_loads_never_or_up_to_three_times_in_four(words):
    from stress.explore.chance import draw_early_weight
    from stress.explore.state import EARLY_WEIGHT

    def draw():
        draw_early_weight(words)
        return words[EARLY_WEIGHT] / (1 << 31)

    shares = frequencies(draw)
    assert set(shares) == {0, 0.25, 0.5, 0.75}
    assert max(abs(share - 1 / 4) for share in shares.values()) < 0.02
