"""Any sequence of allocations, frees and isolations against the slow oracle, straight to the zone and through per-CPU lists."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from kernels.base.flavour import FLAVOUR, INTERPRETED
from kernels.base.layout import MT_ISOLATE, PCP_STRIDE, PCP_TOTAL, SH_OWNED
from tests.kernels import kit
from tests.reference.buddy import Zone

MIGRATETYPES = st.integers(0, 2)
#: the other executions are slow, and see less that is new
STEPS = settings(derandomize=True, deadline=None, max_examples=20 if FLAVOUR == "fast" and not INTERPRETED else 5, stateful_step_count=30)


class BuddyAgainstOracle(RuleBasedStateMachine):
    """Node 0, under zone->lock: free lists, words and counts follow the oracle step by step."""

    def __init__(self):
        super().__init__()
        self.m = kit.make_machine()
        self.zone = Zone.booted(0, 256, 3)
        self.held = []

    @rule(order=st.integers(0, 6), migratetype=MIGRATETYPES)
    def allocate(self, order, migratetype):
        possible = self.zone.choices(order, migratetype)
        pfn = self.m.buddy_alloc(0, order, migratetype)
        assert (pfn >= 0) == bool(possible)
        if pfn >= 0:
            self.zone.allocated(pfn, order, migratetype)
            self.held.append((pfn, order))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def free(self, data):
        pfn, order = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.m.free_to_zone(pfn, order, SH_OWNED)
        self.zone.freed(pfn, order)

    @rule(block=st.integers(0, 31))
    def isolate(self, block):
        assert bool(self.m.isolate_pageblock(block)) == self.zone.isolate(block)

    @precondition(lambda self: self.zone.saved)
    @rule(data=st.data())
    def unisolate(self, data):
        block = data.draw(st.sampled_from(sorted(self.zone.saved)))
        self.m.unisolate_pageblock(block)
        self.zone.unisolate(block)

    @invariant()
    def same_lists(self):
        kit.audit(self.m)
        self.zone.check()
        here = [each for each in kit.free_lists(self.m) if each[0] < 256]
        assert {(pfn, order) for pfn, order, _ in here} == set(self.zone.free.items())
        assert all(kind == self.zone.migratetype(pfn) for pfn, _, kind in here)
        assert self.m["zone_free"][0] == self.zone.nr_free()
        assert self.m["zone_isolate_free"][0] == self.zone.nr_isolate_free()


class ListsAgainstSets(RuleBasedStateMachine):
    """The whole allocator from three CPUs: no frame twice, none lost, none of an isolated pageblock."""

    def __init__(self):
        super().__init__()
        self.m = kit.make_machine()
        self.held, self.isolated = {}, set()

    @rule(cpu=st.integers(0, 2), nid=st.integers(0, 1), order=st.integers(0, 5), migratetype=MIGRATETYPES)
    def allocate(self, cpu, nid, order, migratetype):
        pfn = self.m.on(cpu).alloc_frozen_pages(nid, order, migratetype)
        if pfn >= 0:
            frames = set(range(pfn, pfn + (1 << order)))
            assert not frames & {frame for first, each in self.held.items() for frame in range(first, first + (1 << each))}
            assert not {frame >> 3 for frame in frames} & self.isolated
            self.held[pfn] = order

    @precondition(lambda self: self.held)
    @rule(cpu=st.integers(0, 2), data=st.data())
    def free(self, cpu, data):
        pfn = data.draw(st.sampled_from(sorted(self.held)))
        self.m.on(cpu).free_frozen_pages(pfn, self.held.pop(pfn))

    @rule(cpu=st.integers(0, 2), nid=st.integers(0, 1))
    def drain(self, cpu, nid):
        self.m.on(cpu).drain_all_pages(nid)

    @rule(block=st.integers(0, 63))
    def toggle(self, block):
        if block in self.isolated:
            self.m.unisolate_pageblock(block)
            self.isolated.remove(block)
        else:
            assert self.m.isolate_pageblock(block)
            self.isolated.add(block)

    @invariant()
    def conserved(self):
        kit.audit(self.m)
        on_lists = int(self.m["pcp_nr"].reshape(-1, PCP_STRIDE)[:, PCP_TOTAL].sum())
        free = int(self.m["zone_free"].sum() + self.m["zone_isolate_free"].sum())
        assert free + on_lists + sum(1 << order for order in self.held.values()) == 512
        assert {block for block in range(64) if self.m["block_migratetype"][block] == MT_ISOLATE} == self.isolated


@pytest.mark.slow
@pytest.mark.usefixtures("built")
class TestBuddyAgainstOracle(BuddyAgainstOracle.TestCase):
    settings = STEPS


@pytest.mark.slow
@pytest.mark.usefixtures("built")
class TestListsAgainstSets(ListsAgainstSets.TestCase):
    settings = STEPS
