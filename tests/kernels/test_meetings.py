"""Interleavings that storms meet by chance, forced: interpreted, a helper of a kernel is replaced by one that runs another CPU first.

These are windows that once were bugs, and meetings that no test reaches otherwise; test_kit.py checks that every meeting is reached.
The models of stress/explore search such interleavings systematically.
"""

import pytest

from kernels.alloc import bitfield, pages
from kernels.base.flavour import INTERPRETED
from kernels.base.layout import CHUNK_COUNT_MASK, FL_LRU, FROZEN, MT_ISOLATE, NONE_WORD, REFCOUNT_FROZEN_BIT, Mode, Offline, Reason, Type
from kernels.map import access
from kernels.migrate import folio, legacy, movable, split, targets
from kernels.migrate import range as range_migration
from kernels.page import refcount
from kernels.policy import fault
from kernels.types import offline, pagetable
from stress.machine.segment import set_param
from tests.kernels import kit
from tests.kernels.page.test_folio import make_folio

pytestmark = pytest.mark.skipif(not INTERPRETED, reason="replaces kernels, which only the interpreted execution allows")


@pytest.fixture
def once(monkeypatch):
    """once(module, name, action, before=True, when=...): run `action` at the first call of module.name for which `when(*args)` holds.

    With before=False it runs after the first such call that returns something true. Returns a list that is empty until `action` has run.
    """

    def arrange(module, name, action, before=True, when=lambda *_: True):
        real, done = getattr(module, name), []

        def replaced(*args):
            mine = not done and when(*args)
            if mine and before:
                done.append(1)
                action()
            result = real(*args)
            if mine and not before and result:
                done.append(1)
                action()
            return result

        monkeypatch.setattr(module, name, replaced)
        return done

    return arrange


@pytest.mark.meets("bitfield_changed")
def test_a_claim_whose_count_another_cpu_moves_first_is_made_again(bits, once):
    done = once(bitfield, "claimed", lambda: bits.on(1).claim_frames(0, 2, 0), before=False)
    assert bits.on(0).claim_frames(0, 1, 0)
    assert done
    assert bits["chunk_word"][0] & CHUNK_COUNT_MASK == 8 - 2 - 1
    bits.add_free(0, 3)


def test_an_isolator_frees_what_its_owner_has_just_released(machine, once):
    """The owner swaps RELEASED in, the isolator frees the frame, and only then does the owner remove it from its inventory."""
    m = machine
    for _ in range(3):
        m.balloon_inflate(0, m.alloc_frozen_pages(0, 0, 1), 0)
    pfn = int(m["balloon_pfn"][0])
    m.on(1).isolate_offline(pfn, m.word(pfn))
    m.on(1).zone_pcp_disable(0)
    done = once(offline, "move_state", lambda: m.on(1).putback_offline(pfn), before=False, when=lambda *args: args[-1] == Offline.RELEASED)
    assert m.balloon_deflate(0, 0) == 1
    assert done
    assert m["balloon_pages"][0] == 2
    m.on(1).zone_pcp_enable(0)
    m.balloon_deflate(0, 0)
    m.balloon_deflate(0, 0)
    assert m.free_frames() == 512


def test_an_isolation_between_unfreeze_and_remap_of_a_split(machine, once):
    """Another CPU isolates the head before the splitter checks whether the folio was isolated when it was split."""
    m = machine
    pfn = m.touch(0, 8, order=2)
    m.lru_add_drain()
    desc = m.gup_fast(0, 8, 0)
    got = []
    once(split, "remove_migration_ptes", lambda: got.append(m.on(1).isolate_folio(pfn, m.word(pfn), Reason.COMPACTION)))
    assert m.folio_trylock(desc)
    assert m.split_folio(desc) == 0
    m.folio_unlock(desc)
    m.folio_put(desc)
    assert got == [desc]
    m.on(1).folio_putback(desc)
    m.on(1).lru_add_drain()
    pieces = [m.desc_at(pfn + k) for k in range(4)]
    seen = [(m.refs(piece), bool(m["flags"][piece] & FL_LRU)) for piece in pieces]
    assert seen == [(1, True)] * 4


def test_a_block_that_is_isolated_under_a_free_scanner(machine, once):
    """I18: the pageblock is isolated and drained between the scanner's read and its zone->lock; nothing of it may be captured."""
    m = machine
    pins = [m.buddy_alloc(0, 0, 1) for _ in range(2)]
    block = pins[0] >> 3
    done = once(targets, "chaos_point", lambda: m.on(1).isolate_pageblock(block))
    m.isolate_freepages_block(block << 3, 1)
    assert done
    captured = int(m["cc_pages"][0])
    m.cc_release()
    m.give_back(pins)
    m.unisolate_pageblock(block)
    assert captured == 0


@pytest.mark.meets("free_block_vanished")
def test_a_block_that_vanished_under_a_free_scanner(machine, once):
    m = machine
    pin = m.buddy_alloc(0, 0, 1)
    taken = []
    once(targets, "chaos_point", lambda: taken.append(m.on(1).buddy_alloc(0, 0, 1)))
    m.isolate_freepages_block(pin & ~7, 1)
    assert m.counter("met_free_block_vanished") == 1
    assert taken[0] == pin ^ 1
    m.cc_release()
    m.give_back((pin, taken[0]))


@pytest.mark.meets("count_moved_during_copy")
def test_a_reference_between_the_copy_and_the_freeze(machine, once):
    """A lookup during the copy: the freeze of a file folio fails, and both sides are as before."""
    m = machine
    desc = m.create_folio(0, 0, 4, 0)
    m.folio_put(desc)
    m.drain()
    pfn = int(m["folio_pfn"][desc])
    m.isolate_folio(pfn, m.word(pfn), 0)
    dst = m.alloc_target_folio(desc, 1)
    once(folio, "folio_copy", lambda: m.on(1).filemap_get_entry(0, 4))
    assert m.folio_migrate_unmap(desc, dst, 0, 0, 0) == 0
    assert m.folio_migrate_move(desc, dst, 0) == -11
    assert m.counter("met_count_moved_during_copy") == 1
    assert m.load_entry(0, 4) == desc + 1
    assert (m["mapping"][dst], m.refs(dst)) == (0, 1)
    m.on(1).folio_put(desc)
    m.free_target_folio(dst, 1)
    m.folio_putback(desc)


def test_a_speculator_during_the_copy_of_an_anonymous_page_frees_the_source(machine, once):
    m = machine
    pfn = m.touch(0, 8)
    m.drain()
    desc = m.isolate_folio(pfn, m.word(pfn), 0)
    dst = m.alloc_target_folio(desc, 1)
    once(folio, "folio_copy", lambda: m.on(1).try_get_pfn(pfn))
    m.flush_deferred(m.folio_migrate_unmap(desc, dst, 0, 0, 0))
    assert m.folio_migrate_move(desc, dst, 0) == 0
    assert m.word(pfn) == m.desc_word(Type.ANON, desc), "still the speculator's"
    assert m.on(1).folio_put(desc)
    assert m.task_access(0, 8, 1) == 0
    m.zap_range(0, 8, 1)
    assert m.free_frames() == 512


@pytest.mark.meets("gup_pte_changed")
def test_a_migration_that_unmaps_under_gup_fast(machine, once):
    """The PTE becomes a migration entry after GUP-fast has read it: the reference and the pin go back, and the folio moves."""
    m = machine
    pfn = m.touch(0, 8)
    m.drain()
    desc = m.on(1).isolate_folio(pfn, m.word(pfn), 0)
    dst = m.on(1).alloc_target_folio(desc, 1)
    pending = []
    once(access, "chaos_point", lambda: pending.append(m.on(1).folio_migrate_unmap(desc, dst, 0, 0, 0)))
    assert m.gup_fast(0, 8, 1) == -1
    assert (m.refs(desc), m["pincount"][desc]) == (1, 0)
    m.on(1).flush_deferred(pending[0])
    assert m.on(1).folio_migrate_move(desc, dst, 0) == 0
    assert m.task_access(0, 8, 1) == 0


@pytest.mark.meets("put_lost_to_a_get")
def test_a_get_that_revives_a_count_of_zero(machine, once):
    """refcount = frozen-bit: a get comes between the subtraction of the last put and its freeze, and its owner puts last."""
    m = machine
    set_param(m.mem, "policy_refcount", REFCOUNT_FROZEN_BIT)
    m["refcount"][:] = FROZEN
    desc, pfn = make_folio(m)
    once(refcount, "cas_acquire", lambda: m.on(1).ref_try_get(desc))
    assert not m.folio_put(desc)
    assert m.refs(desc) == 1
    assert m.word(pfn) == m.desc_word(Type.ANON, desc)
    assert m.on(1).folio_put(desc)
    assert m.refs(desc) == FROZEN
    assert m.free_frames() == 512


@pytest.mark.meets("table_moved_under_walker", "rcu_waited_for_reader")
def test_a_table_that_moves_under_its_walker(machine, once):
    """CPU 1 moves the table once CPU 0 has loaded the upper entry: the walker reads the frame that was left, which is freed after it."""
    m = machine
    pfn, to = m.alloc_frozen_pages(0, 0, 1), m.alloc_frozen_pages(1, 0, 1)
    assert m.table_populate(3, pfn)
    word, children = m.word(pfn), []
    assert m.on(1).isolate_pagetable(pfn, word)

    def migrate():
        children.append(kit.in_child(lambda: m.on(1).migrate_pagetable(pfn, to, word)))
        kit.until(lambda: m.counter("met_rcu_waited_for_reader") > 0)
        assert m["upper"][3] == to + 1

    once(pagetable, "chaos_point", migrate)
    assert m.table_walk(3, 5)
    assert kit.wait(children[0]) == 0
    assert m.word(pfn) == NONE_WORD
    assert m.table_walk(3, 5)
    m.table_zap(3)


def test_a_migratetype_that_changes_under_a_free(machine, once):
    """E2: what was read before zone->lock only chooses a list; under the lock the pageblock's migratetype decides."""
    m = machine
    pfn = m.alloc_frozen_pages(0, 0, 1)
    done = once(pages, "chaos_point", lambda: m.on(1).isolate_pageblock(pfn >> 3))
    m.free_frozen_pages(pfn, 0)
    assert done
    assert (pfn >> 3 << 3, 3, MT_ISOLATE) in kit.free_lists(m)
    assert m["zone_isolate_free"][0] == 8
    m.unisolate_pageblock(pfn >> 3)
    assert m.free_frames() == 512


@pytest.mark.parametrize("kind", ["first touch", "copy on write"])
def test_a_fault_that_another_cpu_has_handled_frees_what_it_allocated(machine, once, kind):
    m = machine
    if kind == "copy on write":
        m.touch(0, 8)
        m.lru_add_drain()
        m.fork_range(0, 1, 8, 1)
    once(fault, "alloc_folio", lambda: m.on(1).touch(1, 8))
    assert m.handle_fault(1, 8, 1, 0) == 0
    m.on(1).lru_add_drain()
    assert m.refs(m.desc_at(m.pte(1, 8) >> 10)) == 1
    assert m.task_access(1, 8, 1) == 0
    for space in (0, 1):
        m.zap_range(space, 8, 1)
    assert m.free_frames() == 512


@pytest.mark.parametrize("interface", [0, 1], ids=["bitmap", "list"])
def test_an_owner_that_releases_a_block_while_targets_run_out(machine, once, interface):
    """Nothing was migrated, and what is put back turns out to be the isolator's to free."""
    m = machine
    set_param(m.mem, "policy_migration", interface)
    pfn = m.alloc_frozen_pages(0, 0, 1)
    m.balloon_inflate(2, pfn, 0)
    m["zone_min"][:] = m["zone_low"][:] = 0
    m.drain()
    taken = m.exhaust()
    done = once(movable, "alloc_movable_target", lambda: m.on(2).balloon_deflate(2, 0))
    assert m.migrate_window(pfn & ~7, 8, Mode.ASYNC, Reason.CONTIG_RANGE, 1) == 0
    assert done
    assert (m.counter("cause_contig_range_nomem"), m.counter("cause_contig_range_released")) == (1, 1)
    assert m.counter("failed_contig_range") == 0
    m.give_back(taken)
    assert m["desc_top"][0] + m["desc_cached"].sum() == m.mem.nr_desc
    assert m.free_frames() == 512


@pytest.mark.parametrize("interface", [0, 1], ids=["bitmap", "list"])
def test_a_task_that_unmaps_a_page_between_isolation_and_migration(machine, once, interface):
    m = machine
    set_param(m.mem, "policy_migration", interface)
    pfn = m.touch(0, 8)
    m.drain()
    module = legacy if interface else range_migration
    done = once(module, "freed_under_us", lambda: m.on(1).zap_range(0, 8, 1))
    assert m.migrate_window(pfn & ~7, 8, Mode.ASYNC, Reason.CONTIG_RANGE, 1) == 0
    assert done
    assert m.counter("cause_contig_range_released") == 1
    assert m.counter("pgmigrate_success") == 0
    assert m.free_frames() == 512
