"""What Python does not have: words that overflow, memcpy, the cycle counter, parameters of the header."""

import pytest

from kernels.base.layout import WINDOW_FRAMES


@pytest.mark.parametrize("position", range(64))
def test_bit_and_back(machine, position):
    word = machine.bit(position)
    assert word == (1 << position if position < 63 else -(1 << 63))
    assert machine.ctz(word) == position
    assert machine.popcount(word) == 1
    assert machine.popcount(word - 1 if position < 63 else ~word) == (position if position < 63 else 63)


@pytest.mark.parametrize("value", [1, 2, 3, 7, 8, 255, 256, (1 << 62) - 1, 1 << 62])
def test_log2_floor(machine, value):
    assert machine.log2_floor(value) == value.bit_length() - 1


def test_copy_words_copies_that_many(machine):
    m = machine
    m["contents"][0:8] = range(8)
    m.op("contents.copy_words", 16, 0, 5)
    assert m["contents"][16:24].tolist() == [0, 1, 2, 3, 4, 0, 0, 0]
    m["contents"][:24] = 0


def test_the_cycle_counter_advances(machine):
    first = machine.cycles()
    machine.fence_seq_cst(), machine.cpu_relax(), machine.sched_yield()
    assert machine.cycles() > first


def test_parameters_are_read_from_the_header(machine):
    assert machine.op("param.nr_frames") == 512 == WINDOW_FRAMES
