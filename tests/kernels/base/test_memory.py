"""The segment as interpreted kernels see it: bounds, Python integers, and headers that do not fit."""

import numpy as np
import pytest

from kernels.base.layout import ARRAY, ARRAY_START, FIELDS, LENGTHS_WORD, PARAM, SEGMENT_BYTES
from kernels.base.memory import Field, Memory


@pytest.fixture
def field():
    return Field("refcount", np.array([3, -1, 7], np.int32))


@pytest.mark.parametrize("index", [-1, 3, 1 << 40])
def test_out_of_bounds_is_named_and_changes_nothing(field, index):
    for access in (lambda: field[index], lambda: field.__setitem__(index, 5), lambda: field.check(index)):
        with pytest.raises(IndexError, match=rf"refcount\[{index}\] of 3"):
            access()
    assert field.array.tolist() == [3, -1, 7]


def test_an_element_is_a_python_integer(field):
    assert type(field[1]) is int
    assert [field[k] for k in range(len(field))] == [3, -1, 7], "signed, and no wrap-around in what is computed from it"
    field[2] = -(1 << 31)
    assert field.array[2] == -(1 << 31)


def test_a_value_that_does_not_fit_the_width_is_refused(field):
    with pytest.raises(OverflowError):
        field[0] = 1 << 31


@pytest.mark.parametrize("length", [-1, 1 << 50])
def test_a_header_that_does_not_fit_is_refused(machine, length):
    header = machine.mem.header
    header[LENGTHS_WORD + ARRAY["descs"]] = length
    with pytest.raises(ValueError, match=f"array descs has length {length}"):
        Memory(machine.mem.buffer)


def test_fields_of_a_record_and_parameters_are_where_the_layout_says(machine):
    mem = machine.mem
    whole = np.frombuffer(mem.buffer, np.uint8, count=SEGMENT_BYTES)
    for name in ("refcount", "mapcount", "mapping", "cpu_role", "memdesc"):
        slot, bits, stride, offset = FIELDS[name]
        at, before = ARRAY_START[slot] + stride + offset, mem.arrays[name][1]
        mem.arrays[name][1] = 0x55
        assert whole[at : at + bits // 8].tolist() == [0x55] + [0] * (bits // 8 - 1)
        mem.arrays[name][1] = before
    assert mem.nr_frames == mem.header[PARAM["nr_frames"]] == len(mem.arrays["memdesc"])
