"""Shared by the kernel tests: a small booted machine with kernels that are called by name, forks that expect a bug, and an audit."""

import os
import signal
import time
import warnings

import numpy as np

from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    COUNTER,
    COUNTER_STRIDE,
    EXIT_BUG,
    FL_HUGE_FREE,
    MT_ISOLATE,
    MT_MOVABLE,
    NONE_WORD,
    NR_MIGRATETYPES,
    NR_ORDERS,
    RESERVE_DELTA,
    RESERVE_STRIDE,
    SH_OWNED,
    Bug,
    Geometry,
    Misc,
    Type,
)
from kernels.policy.boot import boot
from stress.checkers import bitfields, conservation
from stress.machine.segment import create_machine
from tests.kernels import entries

SMALL = Geometry(
    nr_cpus=3,
    nr_nodes=2,
    frames_per_node=256,
    pageblock_order=3,
    words_per_frame=8,
    nr_tasks=8,
    task_pages=64,
    table_pages=16,
    nr_files=2,
    file_pages=16,
)
PARAMS = {
    "pcp_high": 16,
    "pcp_batch": 4,
    "spin_yield": 4,
    "tracing": 1,
    "cycles_per_us": 1000,
    "anon_pages": 48,
    "kernel_target": 8,
    "balloon_target": 8,
    "zs_target": 32,
    "slab_target": 32,
    "pin_target": 16,
    "contig_blocks": 4,
    "memory_block_blocks": 4,
    "huge_target": 2,
    "max_order_anon": 3,
    "numa_rate_limit": 1 << 40,
    "shadow_on": 1,
    "seed": 1,
}


class Machine:
    """A booted machine. `m.folio_put(desc)` calls that kernel on CPU 0, `m.on(1).folio_put(desc)` on CPU 1."""

    def __init__(self, mem, cpu=0):
        self.mem, self.cpu = mem, cpu

    def on(self, cpu):
        return Machine(self.mem, cpu)

    def __getattr__(self, name):
        if name not in entries.OPS:
            raise AttributeError(name)
        return lambda *values: entries.call(self.mem, name, self.cpu, *values)

    def op(self, name, *values):
        """A kernel whose name is not an identifier: `m.op("contents.read", 3)`."""
        return entries.call(self.mem, name, self.cpu, *values)

    def __getitem__(self, field):
        """A field as a numpy array."""
        return self.mem.arrays[field]

    def counter(self, name):
        """A counter, over all CPUs."""
        return int(self["counters"].reshape(-1, COUNTER_STRIDE)[:, COUNTER[name]].sum())

    def word(self, pfn):
        return int(self["memdesc"][pfn])

    def refs(self, desc):
        return int(self["refcount"][desc])

    def pte(self, space, vpage):
        return int(self["pte"][space * self.mem.task_pages + vpage])

    def desc_at(self, pfn):
        return self.word(pfn) >> 4

    def touch(self, space, vpage, write=1, order=0):
        """One access with its faults, as a task makes it; the pfn in the PTE afterwards."""
        for _ in range(10):
            access = self.task_access(space, vpage, write) if vpage < self.mem.anon_pages else self.file_access(space, vpage)
            if access == 0:
                return self.pte(space, vpage) >> 10
            assert self.handle_fault(space, vpage, write, order) == 0
        raise AssertionError("the access kept faulting")

    def drain(self):
        """Drain the LRU batches and per-CPU lists, so that every free frame is in the buddy."""
        for cpu in range(self.mem.nr_cpus):
            self.on(cpu).lru_add_drain()
        for nid in range(self.mem.nr_nodes):
            self.drain_all_pages(nid)

    def free_frames(self):
        """Free frames of all nodes, per-CPU lists drained."""
        self.drain()
        return int(self.zone_free().sum() + self["zone_isolate_free"].sum())

    def zone_free(self):
        """zone_free by node, with what CPUs have not added yet."""
        pending = self["reserve_word"].reshape(self.mem.nr_cpus, self.mem.nr_nodes, RESERVE_STRIDE)[:, :, RESERVE_DELTA].sum(axis=0)
        return self["zone_free"] + pending

    def exhaust(self, *nodes):
        """Take every frame that is in the buddy of these nodes, or of all; the frames."""
        nodes = nodes or range(self.mem.nr_nodes)
        return [pfn for nid in nodes for pfn in iter(lambda nid=nid: self.buddy_alloc(nid, 0, MT_MOVABLE), -1)]

    def give_back(self, pfns):
        """Free single frames to their zones."""
        for pfn in pfns:
            self.free_to_zone(pfn, 0, SH_OWNED)

    def buddyinfo(self):
        """Free blocks by (node, order, migratetype)."""
        return self["nr_free"].reshape(self.mem.nr_nodes, NR_ORDERS, NR_MIGRATETYPES)

    def expect_bug(self, code, action):
        """Run `action` in a child, which must exit through bug() with this code; its record as (cpu, pfn, seen, wanted)."""
        before = int(self["bug_count"][0])
        status = wait(in_child(action))
        assert status == EXIT_BUG, f"exited with {status}, not through bug()"
        assert self["bug_count"][0] == before + 1
        assert Bug(int(self["bug_code"][before])) == code
        return tuple(int(self[f"bug_{part}"][before]) for part in ("cpu", "pfn", "seen", "wanted"))


def until(condition):
    """Wait until another process has made a condition true."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        os.sched_yield()


def in_child(action):
    """Run `action` in a forked child, which shares the segment; its pid. It exits with 0, or as bug() and relax() do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child touches no lock that a thread may hold
        pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(20)  # a child that hangs is a failure, not a stall
            action()
        except SystemExit as leaving:  # interpreted
            os._exit(leaving.code)
        except BaseException:  # noqa: BLE001  # nothing of pytest may run in the child
            os._exit(1)
        os._exit(0)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def make_machine(geometry=SMALL, **params):
    mem = create_machine(geometry, PARAMS | params)
    boot(mem, 0)
    return Machine(mem)


def free_lists(m):
    """Every free block as (pfn, order, migratetype), in list order."""
    found = []
    for nid in range(m.mem.nr_nodes):
        for order in range(NR_ORDERS):
            for migratetype in range(NR_MIGRATETYPES):
                area = (nid * NR_ORDERS + order) * NR_MIGRATETYPES + migratetype
                link, before, length = int(m["free_head"][area]), 0, 0
                while link:
                    pfn = link - 1
                    assert m["frame_prev"][pfn] == before
                    found.append((pfn, order, migratetype))
                    before, link, length = link, int(m["frame_next"][pfn]), length + 1
                assert m["nr_free"][area] == length
    return found


def audit(m):
    """Verify what holds for any machine between two operations (a small part of what the checkers verify)."""
    assert not m["lock_word"].any(), "a lock is held"
    assert not m["bug_count"][0]
    seen = np.zeros(m.mem.nr_frames, bool)
    free = np.zeros((m.mem.nr_nodes, 2), int)
    for pfn, order, migratetype in free_lists(m):
        assert not seen[pfn : pfn + (1 << order)].any(), f"frame {pfn} is free twice"
        seen[pfn : pfn + (1 << order)] = True
        assert m.word(pfn) == Type.BUDDY | order << 4
        assert (m["memdesc"][pfn + 1 : pfn + (1 << order)] == NONE_WORD).all()
        assert m["block_migratetype"][pfn >> m.mem.pageblock_order] == migratetype
        free[pfn // m.mem.frames_per_node, int(migratetype == MT_ISOLATE)] += 1 << order
    if m.mem.policy_allocator == ALLOCATOR_BITFIELD:
        assert not seen.any()
        assert not bitfields.CHECKER.check(m.mem.arrays)
        assert not conservation.CHECKER.check(m.mem.arrays)
    else:
        assert (free[:, 0] == m["zone_free"]).all()
        assert (free[:, 1] == m["zone_isolate_free"]).all()
    live = {int(w) >> 4 for w in m["memdesc"] if w & 15 in (Type.FILE, Type.ANON, Type.KSM, Type.COUNTED)}
    for desc in live:
        assert m.refs(desc) > 0 or m["flags"][desc] & FL_HUGE_FREE, f"descriptor {desc} has a word and no reference"
    mapped = np.zeros(m.mem.nr_desc, int)
    for word in m["pte"]:
        if word & 1:
            mapped[m.desc_at(int(word) >> 10)] += 1
    wrong = np.flatnonzero(mapped != m["mapcount"])
    assert not len(wrong), f"descriptors {wrong} are mapped {mapped[wrong]} times, and count {m['mapcount'][wrong]}"
    assert not (m["pte"] & (1 << 5)).any(), "a migration entry was left"


def is_offline(word):
    return word & 15 == Type.MISC and word >> 4 & 127 == Misc.OFFLINE
