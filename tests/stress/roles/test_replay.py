"""A trace replayed in this process, CPU by CPU: every event happens, in every pass, and no frame is lost."""

import numpy as np
import pytest

from kernels.base import flavour
from kernels.base.atomics import ProcessExit
from kernels.base.layout import NONE_WORD, PCP_STRIDE, PCP_TOTAL, TRACE_FAILED, TRACE_NONE, TYPE_MASK, Bug, Geometry, Type
from kernels.policy import boot
from stress import roles
from stress.machine.segment import create_machine
from stress.machine.sizes import derived_params
from tests.stress.roles.recordings import random_events, write_trace

pytestmark = pytest.mark.slow  # compiles kernels

REPLAY = roles.ROLE_INDEX["replay"]


def machine_for(trace, frames_per_node=2048):
    geometry = Geometry(
        nr_cpus=trace.nr_cpus,
        nr_nodes=1,
        frames_per_node=frames_per_node,
        pageblock_order=6,
        words_per_frame=8,
        nr_tasks=4,
        task_pages=32,
        table_pages=8,
        file_pages=16,
        nr_trace_events=trace.nr_events,
        max_trace_pfn=trace.nr_slots,
    )
    mem = create_machine(geometry, derived_params(geometry) | {"seed": 1})
    boot.boot(mem, 0)
    trace.write_to(mem)
    return mem


def replay(mem, nr_passes):
    """Run CPUs in turn until each has finished `nr_passes` more; returns the failures."""
    passes = mem.arrays["ev_passes"]
    wanted, failures = passes + nr_passes, 0
    for _ in range(100 * len(mem.arrays["ev_kind"])):
        if (passes == wanted).all():
            return failures
        for cpu in np.flatnonzero(passes < wanted):
            failures += roles.run_batch(mem, int(cpu), REPLAY, 1)
    raise AssertionError(f"stuck at {mem.arrays['ev_next']} in passes {passes}")


def free_frames(mem):
    return int(mem.arrays["zone_free"].sum() + mem.arrays["pcp_nr"][PCP_TOTAL::PCP_STRIDE].sum())


def no_frame_has_an_owner(mem):
    words = mem.arrays["memdesc"]
    is_misc = words & TYPE_MASK == Type.MISC
    return free_frames(mem) == mem.nr_frames and bool((words[is_misc] == NONE_WORD).all())


@pytest.mark.parametrize("nr_cpus", [1, 3])
def test_every_event_happens_and_no_frame_is_lost(tmp_path, nr_cpus):
    trace = write_trace(tmp_path / "t.npz", random_events(400, nr_cpus, max_order=4, seed=nr_cpus))
    mem = machine_for(trace)
    for _ in range(3):
        assert replay(mem, 1) == 0
        assert (mem.arrays["ev_pfn"] == TRACE_NONE).all()
        assert no_frame_has_an_owner(mem)
    assert (mem.arrays["ev_passes"] == 3).all()


def test_outstanding_frames_are_those_of_the_recording(tmp_path):
    trace = write_trace(tmp_path / "t.npz", [(0, 1, 10, 0, 0), (0, 1, 16, 3, 2), (0, 0, 10, 0, -1)])
    mem = machine_for(trace)
    assert trace.peak_frames == 9
    for outstanding in (1, 9, 8, 0):
        roles.run_batch(mem, 0, REPLAY, 1)
        assert mem.nr_frames - free_frames(mem) == outstanding


def test_a_free_waits_for_its_allocation_on_another_cpu_and_an_allocation_for_the_last_pass(tmp_path):
    trace = write_trace(tmp_path / "t.npz", [(0, 1, 10, 0, 0), (1, 0, 10, 0, -1)])
    mem = machine_for(trace)
    passes = mem.arrays["ev_passes"]
    assert roles.run_batch(mem, 1, REPLAY, 3) == 0
    assert passes.tolist() == [0, 0]
    roles.run_batch(mem, 0, REPLAY, 3)
    assert passes.tolist() == [1, 0]  # its second allocation waits
    roles.run_batch(mem, 1, REPLAY, 3)
    assert passes.tolist() == [1, 1]
    roles.run_batch(mem, 0, REPLAY, 1)
    assert passes.tolist() == [2, 1]


def test_a_failed_allocation_is_published_counted_once_and_not_freed(tmp_path):
    events = [(0, 1, 1024 * k, 10, 1) for k in range(4)] + [(1, 0, 1024 * k, 10, -1) for k in range(4)]
    trace = write_trace(tmp_path / "t.npz", events)
    mem = machine_for(trace)
    failures = roles.run_batch(mem, 0, REPLAY, 4)
    assert failures == np.count_nonzero(mem.arrays["ev_pfn"] == TRACE_FAILED) >= 3
    assert roles.run_batch(mem, 1, REPLAY, 4) == 0
    assert no_frame_has_an_owner(mem)


@pytest.mark.skipif(not flavour.INTERPRETED, reason="a compiled bug() ends the process")
def test_a_frame_with_another_stamp_is_a_bug(tmp_path):
    mem = machine_for(write_trace(tmp_path / "t.npz", [(0, 1, 10, 0, 0), (0, 0, 10, 0, -1)]))
    roles.run_batch(mem, 0, REPLAY, 1)
    mem.arrays["contents"][int(mem.arrays["ev_pfn"][0]) * mem.words_per_frame] = 7
    with pytest.raises(ProcessExit):
        roles.run_batch(mem, 0, REPLAY, 1)
    assert mem.arrays["bug_code"][0] == Bug.STRANGER
