"""Recorded traces: packing for replay, and one line for every file that is not one."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.base.layout import TRACE_NONE
from stress.errors import UserError
from stress.io.text import MIB
from stress.machine.host import Headroom
from stress.storm.scenario import SCENARIO_FOLDER
from stress.storm.trace import KIND_ALLOC, _pack, read_trace


def columns(**changed):
    """CPU 4 allocates pfn 10 (order 0) and pfn 16 (order 2); CPU 9 frees both, one with another order; CPU 4 frees a stranger."""
    made = {
        "t_ns": np.array([0, 5, 5, 7, 9]),
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
    assert trace.first.tolist() == [0, 3, 4]
    assert trace.kind.tolist() == [1, 1, 0, 0]
    assert trace.slot.tolist() == [0, 1, 1, 0]
    assert trace.order.tolist() == [0, 2, 2, 0]
    assert trace.wait.tolist() == [TRACE_NONE, TRACE_NONE, TRACE_NONE, 0]
    assert (trace.nr_slots, trace.peak_frames, trace.nr_left_out) == (2, 5, 2)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"pfn": None}, "array 'pfn' is missing"),
        ({"t_ns": None}, "array 't_ns' is missing"),
        ({"t_ns": np.array([0, 5, 4, 7, 9])}, "not in the order of time: event 2"),
        ({"pfn": np.array([10, -16, 10, 16, 99])}, "'pfn' has values -16..99"),
        ({"cpu": np.array([4, -1, 9, 9, 4])}, "'cpu' has values -1..9"),
        ({"alloc": np.array([1, 2, 0, 0, 0])}, "'alloc' has values 0..2"),
        ({"pfn": np.array([10, 16, None, 16, 99])}, "not a trace"),
        ({"pfn": np.array(["a", "b", "c", "d", "e"])}, "must be one-dimensional integers"),
        ({"pfn": np.arange(3)}, "arrays differ in length"),
        ({"pfn": np.zeros((5, 2), int)}, "must be one-dimensional"),
        ({"pfn": np.linspace(0, 1, 5)}, "must be one-dimensional integers"),
        ({"order": np.array([0, 11, 0, 0, 0])}, "'order' has values 0..11"),
        ({"migratetype": np.array([-1, 0, -1, -1, -1])}, "an allocation has migratetype -1"),
        ({"alloc": np.zeros(5, bool)}, "no allocations"),
        (
            {name: np.repeat(values, 1000) for name, values in columns().items()} | {"cpu": np.arange(5000)},
            "the trace has 5,000 CPUs, and each is a worker: record at most 4,096",
        ),
        ({name: np.zeros(0, int) for name in columns()}, "no allocations"),
    ],
)
def test_another_shape_is_one_line(write, changed, expected):
    with pytest.raises(UserError) as caught:
        read_trace(write(**changed))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_that_unpacks_to_more_than_the_host_has_is_refused_first(write, monkeypatch):
    path = write(**{name: np.zeros(1_000_000, np.int64) for name in columns()})
    monkeypatch.setattr("stress.storm.trace.memory_headroom", lambda: Headroom(10 * MIB, "a test"))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(UserError, match=r"its arrays need 45\.8 MiB, and 640 KiB are allowed on this host"):
        read_trace(path)


def test_missing_empty_truncated_and_foreign_files_are_one_line(write, tmp_path):
    whole = write().read_bytes()
    for name, content in {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello", "toml": b'name = "x"\n'}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="not a trace"):
            read_trace(tmp_path / name)
    with pytest.raises(UserError, match="no such trace file"):
        read_trace(tmp_path / "missing.npz")


def test_damaged_files_are_refused_or_read_but_never_a_traceback(write):
    path, random = write(), np.random.default_rng(3)
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[int(random.integers(len(whole)))] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):
            read_trace(path)


@given(st.data())
def test_packing_keeps_order_and_pairs_every_allocation_with_one_later_free(data):
    columns = data.draw(recordings())
    trace = _pack(columns)
    is_alloc = trace.kind == KIND_ALLOC
    assert sorted(trace.slot[is_alloc]) == sorted(trace.slot[~is_alloc]) == list(range(trace.nr_slots))
    assert trace.nr_events == 2 * trace.nr_slots
    assert trace.first[0] == 0
    assert trace.first[-1] == trace.nr_events
    cpu_of = np.repeat(np.arange(trace.nr_cpus), np.diff(trace.first))
    maker = np.zeros(trace.nr_slots, int)
    maker[trace.slot[is_alloc]] = cpu_of[is_alloc]
    order = np.zeros(trace.nr_slots, int)
    order[trace.slot[is_alloc]] = trace.order[is_alloc]
    assert (trace.order[~is_alloc] == order[trace.slot[~is_alloc]]).all()
    waits = np.where(maker[trace.slot] == cpu_of, TRACE_NONE, maker[trace.slot])
    assert (trace.wait[~is_alloc] == waits[~is_alloc]).all()
    for cpu in range(trace.nr_cpus):  # slots are numbered in recorded order
        mine = slice(trace.first[cpu], trace.first[cpu + 1])
        assert (np.diff(trace.slot[mine][is_alloc[mine]]) > 0).all()
    assert replayed_peak(trace) >= 1


@st.composite
def recordings(draw):
    """Up to four CPUs, few frames, so that frees are paired, strangers, of another order, and lost."""
    nr_events = draw(st.integers(1, 40))
    few = st.integers(0, 3)
    rows = draw(st.lists(st.tuples(few, st.booleans(), few, st.integers(0, 1)), min_size=nr_events, max_size=nr_events))
    cpu, alloc, pfn, order = (np.array(column) for column in zip(*rows, strict=True))
    alloc[0] = True
    return {"cpu": cpu, "alloc": alloc, "pfn": pfn, "order": order, "migratetype": np.where(alloc, pfn % 3, -1)}


def replayed_peak(trace):
    """Run the events with mailboxes and nothing else; every CPU must come to its end, twice."""
    mailbox, at, peak, held = set(), trace.first[:-1].copy(), 0, 0
    for _ in range(2):
        at[:] = trace.first[:-1]
        moved = True
        while moved:
            moved = False
            for cpu in range(trace.nr_cpus):
                while at[cpu] < trace.first[cpu + 1]:
                    event = at[cpu]
                    slot, is_alloc = int(trace.slot[event]), trace.kind[event] == KIND_ALLOC
                    if is_alloc == (slot in mailbox):
                        break
                    mailbox ^= {slot}
                    held += (1 if is_alloc else -1) << int(trace.order[event])
                    peak = max(peak, held)
                    at[cpu] += 1
                    moved = True
        assert (at == trace.first[1:]).all()
        assert not mailbox
        assert held == 0
    return peak


def test_the_excerpt_that_ships_is_small_and_says_where_it_comes_from():
    path = SCENARIO_FOLDER / "kmem.npz"
    assert path.stat().st_size <= 1_000_000
    with np.load(path) as stored:
        meta = json.loads(str(stored["meta"]))
        nr_events = len(stored["t_ns"])
    assert "Linux 6.18" in meta["recorded_on"]
    trace = read_trace(path)
    assert trace.nr_cpus == 2
    assert trace.nr_slots * 2 == trace.nr_events
    assert nr_events == 250_000
