"""The bitmap of 512 against its oracle."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kernels.base.layout import BITMAP_WORDS
from tests.kernels import kit
from tests.reference.bitmap import Bitmap

POSITIONS = st.one_of(st.integers(0, 511), st.sampled_from([0, 62, 63, 64, 127, 128, 447, 448, 510, 511]))


def test_bitmaps_do_not_overlap(machine):
    bases = [machine.on(cpu).bitmap_base(which) for cpu in range(3) for which in range(4)]
    assert sorted(bases) == list(range(0, 12 * BITMAP_WORDS, BITMAP_WORDS))


@pytest.mark.parametrize("position", [0, 1, 63, 64, 448, 511])
def test_one_bit(machine, position):
    m = machine
    m.set_bit(8, position)
    assert m.test_bit(8, position)
    assert m.bitmap_weight(8) == 1
    assert [m.find_next_bit(8, at) for at in (0, position, position + 1)] == [position, position, 512]
    assert m.bitmap_weight(0) == m.bitmap_weight(16) == 0
    m.clear_bit(8, position)
    assert m.bitmap_weight(8) == 0


def test_find_next_bit_beyond_the_end(machine):
    assert machine.find_next_bit(0, 512) == 512


class BitmapAgainstOracle(RuleBasedStateMachine):
    """Any sequence of operations on one bitmap; its neighbours stay empty."""

    def __init__(self):
        super().__init__()
        self.m, self.oracle, self.base = kit.make_machine(), Bitmap(), BITMAP_WORDS

    @rule(position=POSITIONS)
    def set(self, position):
        self.m.set_bit(self.base, position)
        self.oracle.set(position)

    @rule(position=POSITIONS)
    def clear(self, position):
        self.m.clear_bit(self.base, position)
        self.oracle.clear(position)

    @rule()
    def clear_all(self):
        self.m.clear_bitmap(self.base)
        self.oracle.clear_all()

    @rule(start=POSITIONS)
    def find(self, start):
        assert self.m.find_next_bit(self.base, start) == self.oracle.next_set(start)

    @rule(position=POSITIONS)
    def test(self, position):
        assert bool(self.m.test_bit(self.base, position)) == self.oracle.test(position)

    @invariant()
    def same_words(self):
        assert self.m.bitmap_weight(self.base) == self.oracle.weight()
        assert self.m["bitmap"][self.base :][:BITMAP_WORDS].tolist() == self.oracle.words()
        assert not self.m["bitmap"][: self.base].any()
        assert not self.m["bitmap"][self.base + BITMAP_WORDS :].any()


@pytest.mark.slow
class TestBitmapAgainstOracle(BitmapAgainstOracle.TestCase):
    settings = settings(derandomize=True, deadline=None, max_examples=25, stateful_step_count=30)


@pytest.mark.parametrize("bits", [[], [0], [511], [3, 64, 65, 130, 511], list(range(512)), list(range(0, 512, 64))])
def test_position_after(machine, bits):
    for position in bits:
        machine.set_bit(8, position)
    for start in (0, 1, 64, 66, 511, 512):
        beyond = [position for position in bits if position >= start]
        for nr_bits in (1, 2, 3, 64, 65, 512):
            expected = beyond[nr_bits - 1] + 1 if len(beyond) >= nr_bits else 512
            assert machine.position_after(8, start, nr_bits) == expected
