"""Any sequence of allocations, frees, captures, ranges and isolations under allocator = bitfield, against plain sets of frames."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernels.base.flavour import FLAVOUR, INTERPRETED
from kernels.base.layout import ALLOCATOR_BITFIELD, MT_ISOLATE, SH_CAPTURED, SH_OWNED
from stress.checkers import bitfields
from stress.storm.fragmentation import blocks_of, free_bits
from tests.kernels import kit

STEPS = settings(derandomize=True, deadline=None, max_examples=20 if FLAVOUR == "fast" and not INTERPRETED else 5, stateful_step_count=30)
#: by pageblock order: frames of a node, and the largest order that is asked for
SIZES = {0: (64, 3), 3: (256, 6), 6: (1024, 7), 9: (2048, 10)}


def bitfield_machine(pageblock_order=3, frames_per_node=256, **params):
    geometry = replace(kit.SMALL, pageblock_order=pageblock_order, frames_per_node=frames_per_node)
    return kit.make_machine(geometry, policy_allocator=ALLOCATOR_BITFIELD, **params)


class BitfieldAgainstSets(RuleBasedStateMachine):
    """Both nodes, from three CPUs: what is handed out was free, nothing is lost, and an allocation fails only if no aligned run is free."""

    @initialize(pageblock_order=st.sampled_from(sorted(SIZES)))
    def boot(self, pageblock_order):
        self.nr_frames, self.order_max = SIZES[pageblock_order]
        self.shift = pageblock_order
        self.m = bitfield_machine(pageblock_order, self.nr_frames)
        self.free = [set(range(nid * self.nr_frames, (nid + 1) * self.nr_frames)) for nid in range(2)]
        self.held, self.isolated = {}, set()

    def allowed(self, nid):
        return {pfn for pfn in self.free[nid] if pfn >> self.shift not in self.isolated}

    def runs(self, nid, order):
        """Whether an allocation can succeed: a run of free frames, of whole pageblocks if it is as large as one."""
        allowed, size = self.allowed(nid), 1 << order
        return any(all(pfn + k in allowed for k in range(size)) for pfn in sorted(allowed) if pfn % size == 0)

    def take(self, pfn, order):
        frames = set(range(pfn, pfn + (1 << order)))
        assert pfn % (1 << order) == 0
        assert frames <= self.allowed(pfn // self.nr_frames)
        self.free[pfn // self.nr_frames] -= frames

    @rule(cpu=st.integers(0, 2), nid=st.integers(0, 1), order=st.integers(0, 10), migratetype=st.integers(0, 2))
    def allocate(self, cpu, nid, order, migratetype):
        order = min(order, self.order_max)
        pfn = self.m.on(cpu).buddy_alloc(nid, order, migratetype)
        assert (pfn >= 0) == self.runs(nid, order)
        if pfn >= 0:
            assert pfn // self.nr_frames == nid
            self.take(pfn, order)
            self.held[pfn] = order, SH_OWNED

    @precondition(lambda self: self.held)
    @rule(cpu=st.integers(0, 2), data=st.data(), pieces=st.booleans())
    def give(self, cpu, data, pieces):
        """Free what was allocated, as a whole or in halves."""
        pfn = data.draw(st.sampled_from(sorted(self.held)))
        order, state = self.held.pop(pfn)
        half = max(0, order - 1) if pieces else order
        for first in range(pfn, pfn + (1 << order), 1 << half):
            self.m.on(cpu).free_to_zone(first, half, state)
        self.free[pfn // self.nr_frames] |= set(range(pfn, pfn + (1 << order)))

    @rule(pfn=st.integers(0, 4095), order=st.integers(0, 8))
    def capture(self, pfn, order):
        order = min(order, max(0, self.shift - 1))
        pfn = pfn % (2 * self.nr_frames) & -(1 << order)
        if self.shift == 0:
            return
        frames, nid = set(range(pfn, pfn + (1 << order))), pfn // self.nr_frames
        possible = frames <= self.allowed(nid) and self.m.zone_watermark_ok(nid, order, int(self.m["zone_min"][nid]))
        assert bool(self.m.capture_free_block(pfn, order)) == bool(possible)
        if possible:
            self.take(pfn, order)
            self.held[pfn] = order, SH_CAPTURED

    @rule(pfn=st.integers(0, 4095))
    def poison(self, pfn):
        pfn %= 2 * self.nr_frames
        possible = self.shift > 0 and pfn in self.allowed(pfn // self.nr_frames)
        if self.shift > 0:
            assert bool(self.m.take_page_off_buddy(pfn)) == possible
        if possible:
            self.take(pfn, 0)
            self.held[pfn] = 0, SH_OWNED

    @rule(block=st.integers(0, 63), data=st.data())
    def toggle(self, block, data):
        block %= 2 * self.nr_frames >> self.shift
        if block in self.isolated:
            self.m.unisolate_pageblock(block)
            self.isolated.remove(block)
        else:
            assert self.m.isolate_pageblock(block)
            self.isolated.add(block)
            free = len([pfn for pfn in self.free[(block << self.shift) // self.nr_frames] if pfn >> self.shift == block])
            assert self.m["block_allocated"][block] == (1 << self.shift) - free

    @precondition(lambda self: self.isolated)
    @rule(data=st.data())
    def take_range(self, data):
        """A part of an isolated pageblock, taken and given back."""
        block = data.draw(st.sampled_from(sorted(self.isolated)))
        first, end = block << self.shift, block + 1 << self.shift
        start = data.draw(st.integers(first, end - 1))
        stop = data.draw(st.integers(start + 1, end))
        free = self.free[first // self.nr_frames]
        busy = min((pfn for pfn in range(start, stop) if pfn not in free), default=-1)
        assert self.m.busy_frame(start, stop) == busy
        assert self.m.take_isolated_range(start, stop) == busy
        if busy < 0:
            for pfn in range(start, stop):
                assert self.m.free_order(pfn, self.m.word(pfn)) == -1
                self.m.free_to_zone(pfn, 0, SH_OWNED)

    @invariant()
    def same_frames(self):
        if not hasattr(self, "m"):
            return
        assert not self.m["bug_count"][0]
        assert not bitfields.CHECKER.check(self.m.mem.arrays)
        said = free_bits(self.m.mem)
        for nid in range(2):
            assert {nid * self.nr_frames + int(k) for k in said[nid].nonzero()[0]} == self.free[nid]
            assert self.m.zone_free()[nid] == len(self.allowed(nid))
            assert self.m["zone_isolate_free"][nid] == len(self.free[nid] - self.allowed(nid))
            for order in range(self.order_max + 1):
                assert bool(self.m.has_free_block(nid, order)) == self.runs(nid, order)
            blocks = blocks_of(said[nid])
            assert sum(count << order for order, count in enumerate(blocks)) == len(self.free[nid])
        for block in self.isolated:
            assert self.m["block_migratetype"][block] == MT_ISOLATE


@pytest.mark.slow
@pytest.mark.usefixtures("built")
class TestBitfieldAgainstSets(BitfieldAgainstSets.TestCase):
    settings = STEPS
