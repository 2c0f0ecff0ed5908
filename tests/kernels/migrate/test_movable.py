"""What moves and is no folio, for every type: candidate, isolated by one CPU, moved, released by its owner meanwhile, put back."""

from dataclasses import dataclass, field

import pytest

from kernels.base.layout import EBUSY, ENOMEM, NONE_WORD, OFFLINE_COUNTED, OFFLINE_ZERO, Misc, Reason
from stress.machine.segment import set_param

FROM_ALLOCATOR = 1
REASON = Reason.CONTIG_RANGE
SLOT, HANDLE, BALLOON = 3, 0, 0


class Zspage:
    order = 0

    def make(self, m):
        pfn = m.alloc_frozen_pages(0, 0, 1)
        assert m.zs_malloc_new(0, HANDLE, pfn)
        m.zs_access(HANDLE, 1)
        return pfn

    def where(self, m):
        return int(m["zs_obj"][HANDLE]) - 1 >> 8

    def use(self, m):
        m.zs_access(HANDLE, 1)

    def release(self, m):
        m.zs_free(HANDLE)


class PageTable:
    order = 0

    def make(self, m):
        pfn = m.alloc_frozen_pages(0, 0, 1)
        assert m.table_populate(SLOT, pfn)
        return pfn

    def where(self, m):
        return int(m["upper"][SLOT]) - 1

    def use(self, m):
        assert m.table_write(SLOT)
        assert m.table_walk(SLOT, 1)

    def release(self, m):
        assert m.table_zap(SLOT)


@dataclass
class Balloon:
    """A block of a balloon; without descriptors (`offline = none`) it may be a larger one."""

    order: int = 0
    policies: dict = field(default_factory=dict)

    def make(self, m):
        for name, value in self.policies.items():
            set_param(m.mem, name, value)
        pfn = m.alloc_frozen_pages(0, self.order, 1)
        m.inflate(BALLOON, pfn, self.order)
        return pfn

    def where(self, m):
        return int(m["balloon_pfn"][BALLOON])

    def use(self, m):
        assert m["balloon_pages"][BALLOON] == 1

    def release(self, m):
        assert m.deflate(BALLOON, 0) == 1 << self.order


KINDS = {
    "zspage": Zspage(),
    "page table": PageTable(),
    "offline": Balloon(),
    "offline of order 2": Balloon(2),
    "balloon page, counted": Balloon(0, {"policy_offline": OFFLINE_COUNTED}),
    "balloon page, frozen": Balloon(0, {"policy_offline": OFFLINE_ZERO}),
}
#: kinds whose owner may let an isolated block go; the owner of a balloon page with a descriptor waits for its isolator
RELEASED_WHILE_ISOLATED = [kind for kind in KINDS if "balloon page" not in kind]


@pytest.fixture(params=KINDS)
def block(request, machine):
    """A machine with one block of a kind: (machine, kind, first frame, word)."""
    kind = KINDS[request.param]
    pfn = kind.make(machine)
    return machine, kind, pfn, machine.word(pfn)


def end(m, kind):
    kind.use(m)
    kind.release(m)
    assert m["udesc_top"][0] == m.mem.nr_udesc
    assert m["desc_top"][0] + m["desc_cached"].sum() == m.mem.nr_desc
    assert m.free_frames() == 512


def test_a_candidate_of_its_order(block):
    m, kind, pfn, word = block
    assert m.is_movable(word)
    assert m.movable_order(word) == kind.order
    assert m.movable_is_idle(pfn, word)
    assert m.is_wanted(word, Reason.COMPACTION)
    end(m, kind)


def test_one_isolator_puts_it_back(block):
    m, kind, pfn, word = block
    assert m.on(1).isolate_movable(pfn, word)
    now = m.word(pfn)
    assert not m.movable_is_idle(pfn, now)
    assert not m.on(2).isolate_movable(pfn, now)
    assert m.on(1).putback_movable(pfn, now)
    assert m.movable_is_idle(pfn, m.word(pfn))
    end(m, kind)


def test_a_word_of_an_earlier_life_isolates_nothing(block):
    m, kind, pfn, word = block
    kind.release(m)
    free = m["memdesc"].copy()
    assert not m.on(1).isolate_movable(pfn, word)
    assert (m["memdesc"] == free).all()


def test_a_moved_block_is_found_by_its_owner_and_its_source_is_free(block):
    m, kind, pfn, word = block
    assert m.on(1).isolate_movable(pfn, word)
    assert m.on(1).migrate_isolated_movable(pfn, REASON, FROM_ALLOCATOR) == 0
    to = kind.where(m)
    assert to != pfn
    assert m.is_movable(m.word(to))
    assert m.movable_is_idle(to, m.word(to))
    assert {m.word(pfn + k) for k in range(1 << kind.order)} == {NONE_WORD}
    assert m.counter("migrated_contig_range") == m.counter("pgmigrate_success") == 1 << kind.order
    end(m, kind)


def test_without_a_target_it_stays_isolated(block):
    m, kind, pfn, word = block
    assert m.on(1).isolate_movable(pfn, word)
    taken = m.exhaust()
    m["zone_min"][:] = m["zone_low"][:] = 0
    m.drain()
    taken += m.exhaust()
    assert m.on(1).migrate_isolated_movable(pfn, REASON, FROM_ALLOCATOR) == -ENOMEM
    assert m.counter("cause_contig_range_nomem") == 1
    now = m.word(pfn)
    assert not m.movable_is_idle(pfn, now)
    assert m.on(1).putback_movable(pfn, now)
    assert kind.where(m) == pfn
    m.give_back(taken)
    end(m, kind)


@pytest.mark.parametrize("name", RELEASED_WHILE_ISOLATED)
@pytest.mark.parametrize("ending", ["migrate", "put back"])
def test_released_meanwhile_it_is_freed_and_so_is_its_target(machine, name, ending):
    m, kind = machine, KINDS[name]
    pfn = kind.make(m)
    assert m.on(1).isolate_movable(pfn, m.word(pfn))
    kind.release(m)
    if ending == "migrate":
        assert m.on(1).migrate_isolated_movable(pfn, REASON, FROM_ALLOCATOR) == 0
        assert m.counter("cause_contig_range_released") == 1
        assert m.counter("pgmigrate_success") == 0
    else:
        assert not m.on(1).putback_movable(pfn, m.word(pfn))
    assert m["udesc_top"][0] == m.mem.nr_udesc
    assert m.free_frames() == 512


def test_one_that_is_read_is_busy_and_its_target_goes_back(machine):
    m, kind = machine, KINDS["zspage"]
    pfn = kind.make(m)
    word = m.word(pfn)
    assert m.on(1).isolate_movable(pfn, word)
    free = m.free_frames()
    m["u_lock"][m.desc_at(pfn)] = 1
    assert m.on(1).migrate_isolated_movable(pfn, REASON, FROM_ALLOCATOR) == -EBUSY
    m["u_lock"][m.desc_at(pfn)] = 0
    assert m.counter("cause_contig_range_lock") == 1
    assert m.free_frames() == free
    assert m.on(1).putback_movable(pfn, word)
    end(m, kind)


def test_compaction_gains_nothing_by_moving_a_whole_pageblock(machine):
    m = machine
    kind = Balloon(m.mem.pageblock_order)
    word = m.word(kind.make(m))
    assert not m.is_wanted(word, Reason.COMPACTION)
    assert m.is_wanted(word, Reason.CONTIG_RANGE)
    end(m, kind)


def test_page_tables_that_stay(machine):
    m, kind = machine, KINDS["page table"]
    word = m.word(kind.make(m))
    set_param(m.mem, "tables_stay", 1)
    assert not m.is_movable(word)
    set_param(m.mem, "tables_stay", 0)
    end(m, kind)


@pytest.mark.parametrize("subtype", [misc for misc in Misc if misc != Misc.OFFLINE])
def test_of_the_frames_without_a_descriptor_only_offline_ones_move(machine, subtype):
    assert not machine.is_movable(machine.misc_word(subtype, 0, 0, 0))
