"""Recorded traces: packing for replay, and one line for every file that is not one."""

import numpy as np
import pytest

from kernels.base.layout import TRACE_NONE
from stress.errors import UserError
from stress.trace import read_trace


def columns(**changed):
    """CPU 4 allocates pfn 10 (order 0) and pfn 16 (order 2); CPU 9 frees both, one with another order; CPU 4 frees a stranger."""
    made = {
        "cpu": np.array([4, 4, 9, 9, 4], np.int16),
        "alloc": np.array([True, True, False, False, False]),
        "pfn": np.array([10, 16, 10, 16, 99]),
        "order": np.array([0, 2, 0, 0, 0], np.int8),
        "migratetype": np.array([1, 0, -1, -1, -1], np.int8),
    }
    return {name: values for name, values in {**made, **changed}.items() if values is not None}


@pytest.fixture
def write(tmp_path):
    def write(**changed):
        path = tmp_path / "trace.npz"
        np.savez(path, **columns(**changed))
        return path

    return write


def test_events_are_grouped_by_cpu_and_frees_know_their_allocation(write):
    trace = read_trace(write())
    assert trace.nr_cpus == 2
    assert trace.first.tolist() == [0, 2, 3]
    assert trace.kind.tolist() == [1, 1, 0]
    assert trace.slot.tolist() == [0, 1, 0]
    assert trace.wait.tolist() == [TRACE_NONE, TRACE_NONE, 0]
    assert (trace.nr_slots, trace.peak_frames, trace.nr_left_out) == (2, 5, 2)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"pfn": None}, "array 'pfn' is missing"),
        ({"pfn": np.arange(3)}, "arrays differ in length"),
        ({"pfn": np.zeros((5, 2), int)}, "must be one-dimensional"),
        ({"pfn": np.linspace(0, 1, 5)}, "must be one-dimensional integers"),
        ({"order": np.array([0, 11, 0, 0, 0])}, "'order' has values 0..11"),
        ({"migratetype": np.array([-1, 0, -1, -1, -1])}, "an allocation has migratetype -1"),
        ({"alloc": np.zeros(5, bool)}, "no allocations"),
        ({name: np.zeros(0, int) for name in columns()}, "no allocations"),
    ],
)
def test_another_shape_is_one_line(write, changed, expected):
    with pytest.raises(UserError) as caught:
        read_trace(write(**changed))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_empty_truncated_and_foreign_files_are_one_line(write, tmp_path):
    whole = write().read_bytes()
    for name, content in {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello", "toml": b'name = "x"\n'}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="not a trace"):
            read_trace(tmp_path / name)
    with pytest.raises(UserError, match="no such trace file"):
        read_trace(tmp_path / "missing.npz")
