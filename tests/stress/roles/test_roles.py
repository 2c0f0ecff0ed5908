"""Each role alone on a small machine: it succeeds, does what it is for, and every checker at rest is silent afterwards.

A role without a row here is a failure. Which errnos a role may return is read from its docstring, in test_errnos.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from kernels.base import layout as at
from stress import checkers, roles
from stress.checkers._view import View
from tests.stress.roles import kit

pytestmark = pytest.mark.slow  # compiles kernels

NR_STEPS = 400  # of each CPU


@dataclass(frozen=True)
class Row:
    """What a role does.

    effect    asserts what else it did, given the machine and a view of the machine before
    prepared  roles that run first, so that it finds something to work on
    counts    counters that its own steps must raise
    takes     a field with one element per CPU that its steps raise, and lower again
    beside    roles that make a step before each of its steps, so that what it reads changes
    cpus      the CPUs that run it
    """

    effect: Callable
    prepared: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    takes: str = ""
    beside: tuple[str, ...] = ()
    cpus: tuple[int, ...] = tuple(range(kit.NR_CPUS))


def now(m):
    return View(dict(m.mem.arrays))


def raised(m, before, name):
    """By how much the role raised a counter."""
    return m.counter(name) - int(before["counters"].reshape(-1, at.COUNTER_STRIDE)[:, at.COUNTER[name]].sum())


def words_gained(m, before, kind):
    """How many more frames have a word of this type than before."""
    return np.count_nonzero(now(m).word_type == kind) - np.count_nonzero(before.word_type == kind)


def offline_frames(view):
    return np.count_nonzero(view.is_misc & (view.subtype == at.M_OFFLINE))


def writes(oracle):
    """The writes that an oracle counts, without the incarnations of its pages."""
    return int((oracle & (1 << at.INCARNATION_SHIFT) - 1).sum())


def writes_are_counted(m, before):
    assert writes(m["oracle"]) > 0
    assert len(now(m).mapped) > 0


def offline_words_are_what_was_inflated(m, before):
    inflated = raised(m, before, "balloon_inflate") - raised(m, before, "balloon_deflate")
    assert offline_frames(now(m)) - offline_frames(before) == inflated > 0


def whole_pageblocks_were_inflated(m, before):
    for _ in range(NR_STEPS):
        if m["balloon_pages"].any():
            break
        m.run("virtiomem", 0)
    offline_words_are_what_was_inflated(m, before)
    assert raised(m, before, "balloon_inflate") == raised(m, before, "contig_succeeded") << m.mem.pageblock_order


def mapped_pages_moved(m, before):
    """Some PTE that was and is present maps another frame, and none lost its page."""
    stays = before.mapped
    assert (m["pte"][stays] & at.PTE_PRESENT != 0).all()
    assert (m["pte"][stays] >> at.PTE_PFN_SHIFT != before["pte"][stays] >> at.PTE_PFN_SHIFT).any()


def free_memory_is_less_fragmented(m, before):
    mapped_pages_moved(m, before)
    large = [view.free_orders[view.free_orders >= m.mem.pageblock_order] for view in (before, now(m))]
    assert (1 << large[1]).sum() > (1 << large[0]).sum()


def ranges_are_contiguous(m, before):
    assert raised(m, before, "contig_succeeded") > 1
    assert raised(m, before, "migrated_contig_range") > 0, "no range had anything in it"
    held = m["contig_held"]
    assert set(held.tolist()) <= {0, m.mem.contig_blocks}


def files_were_written_back(m, before):
    assert writes(m["file_oracle"]) > 0
    assert m["disk"].sum() > before["disk"].sum()
    assert (now(m).cache_desc >= 0).any()


def memory_was_evacuated(m, before):
    assert raised(m, before, "migrated_memory_hotplug") > 0, "no memory block had anything in it"
    offline = raised(m, before, "offline_succeeded") - raised(m, before, "online_succeeded")
    assert np.count_nonzero(m["block_offline"]) == offline * m.mem.memory_block_blocks


def large_folios_are_mapped(m, before):
    assert (m["folio_order"][now(m).mapped_desc] > 0).any()


def huge_folios_have_owners(m, before):
    """Without a folio that is dissolved or freed beyond the pool, their number is what was there and what was added."""
    added = raised(m, before, "htlb_buddy_alloc_success")
    assert 0 < m["huge_nr"].sum() <= before["huge_nr"].sum() + added - raised(m, before, "htlb_dissolved")


def poisoned_words_are_what_was_poisoned(m, before):
    poisoned = raised(m, before, "hwpoison_pages") - raised(m, before, "unpoison_pages")
    assert words_gained(m, before, at.T_HWPOISON) == poisoned > 0
    assert raised(m, before, "migrated_memory_failure") > 0, "no frame was in use"


def every_kind_was_held(m, before):
    view = now(m)
    assert set(m["held_kind"][view.held.at].tolist()) == {0, 1, 2, 3, 4}
    assert (m["held_order"][view.held.at] > 0).any()


def merged_pages_are_shared(m, before):
    view = now(m)
    ksm = np.flatnonzero(view.live & (m["folio_type"] == at.T_KSM))
    assert len(ksm) > 0
    assert (m["mapcount"][ksm] > 1).any()


def fragments_are_in_flight(m, before):
    assert words_gained(m, before, at.T_NETPOOL) > 0
    assert m["net_slot"].any()


def pages_came_to_the_node(m, before):
    """CPU 1 asks for pages that CPU 0 allocated."""
    nid = int(m["cpu_nid"][1])
    near = [np.count_nonzero(view.mapped_pfn // m.mem.frames_per_node == nid) for view in (before, now(m))]
    assert near[1] > near[0]


def every_cpu_passed(m, before):
    assert (m["ev_passes"] > 0).all()


def slabs_are_shared(m, before):
    objects, slabs = len(now(m).slab_objects.value), words_gained(m, before, at.T_SLAB)
    assert objects > slabs > 0


def references_ended_one_way(m, before):
    kept, undone, failed = (raised(m, before, f"spec_{end}") for end in ("kept", "undone_by_recheck", "failed_on_zero"))
    assert raised(m, before, "spec_tried") == kept + undone + failed
    assert m["pin_count"].sum() > 0
    assert (m["pin_count"] <= m.mem.pin_target).all()


def tables_are_what_was_populated(m, before):
    populated = raised(m, before, "pgtable_alloc") - raised(m, before, "pgtable_free")
    assert words_gained(m, before, at.T_PAGETABLE) == np.count_nonzero(m["upper"]) == populated > 0
    assert writes(m["upper_oracle"]) > 0, "no table was written"


def objects_share_zspages(m, before):
    zspages = raised(m, before, "zspage_alloc") - raised(m, before, "zspage_free")
    assert words_gained(m, before, at.T_MOVABLE) == zspages
    assert np.count_nonzero(m["zs_obj"]) > zspages > 0


USED = {"prepared": kit.USERS}
ROWS = {
    "anon": Row(writes_are_counted, counts=("pgfault", "fork", "cow_fault")),
    "balloon": Row(offline_words_are_what_was_inflated, counts=("balloon_inflate", "balloon_deflate"), takes="balloon_pages"),
    "compact_memory": Row(
        free_memory_is_less_fragmented,
        counts=("compact_migrate_scanned", "migrated_compaction"),
        prepared=(*kit.USERS, "hugepage"),  # it takes the pageblocks that are free, which are no targets
    ),
    "compactor": Row(mapped_pages_moved, counts=("compact_daemon_wake", "migrated_compaction"), takes="isolated_block", **USED),
    "contig": Row(ranges_are_contiguous, counts=("contig_tried",), takes="contig_held", **USED),
    "filecache": Row(files_were_written_back, counts=("pgalloc",)),
    "hotplug": Row(memory_was_evacuated, counts=("offline_succeeded", "online_succeeded"), takes="offline_first", **USED),
    "hugepage": Row(large_folios_are_mapped, counts=("thp_fault_alloc", "thp_split_page")),
    "hugetlb": Row(huge_folios_have_owners, counts=("htlb_buddy_alloc_success", "htlb_dissolved"), takes="huge_count"),
    "hwpoison": Row(poisoned_words_are_what_was_poisoned, counts=("unpoison_pages",), takes="poison_count", **USED),
    "kernel": Row(every_kind_was_held, counts=("pgalloc", "pgfree"), takes="held_count"),
    "ksm": Row(merged_pages_are_shared, counts=("ksm_merged",), prepared=("anon",)),
    "netpool": Row(fragments_are_in_flight, counts=("netpool_recycled", "met_net_fragment_put_by_other"), takes="net_cached"),
    "numa": Row(
        pages_came_to_the_node,
        counts=("numa_pte_updates", "numa_hint_faults", "numa_pages_migrated"),
        prepared=("anon",),
        cpus=(1,),
    ),
    "replay": Row(every_cpu_passed, counts=("pgalloc", "pgfree"), takes="ev_next"),
    "slab": Row(slabs_are_shared, takes="slab_count"),
    "speculator": Row(
        references_ended_one_way,
        counts=("spec_kept", "spec_failed_on_zero", "spec_undone_by_recheck"),
        takes="pin_count",
        beside=("anon",),
        **USED,
    ),
    "tables": Row(tables_are_what_was_populated, counts=("pgtable_alloc", "pgtable_free")),
    "virtiomem": Row(
        whole_pageblocks_were_inflated, counts=("balloon_deflate",), takes="balloon_pages", prepared=("anon", "filecache", "kernel")
    ),
    "zram": Row(objects_share_zspages, counts=("zspage_alloc", "zspage_free")),
}


def test_every_role_has_a_row():
    assert sorted(ROWS) == [role.name for role in roles.ROLES]


def run_steps(m, name, row):
    """NR_STEPS on each CPU, in turns.

    Returns     failures, by how much steps raised each of row.counts, whether steps raised row.takes, whether steps lowered it
    """
    failures, counted, raises, lowers = 0, dict.fromkeys(row.counts, 0), False, False
    for _ in range(NR_STEPS):
        m.put_to_use(row.beside, rounds=1, nr_ops=1)
        for cpu in row.cpus:
            counters = {each: m.counter(each) for each in row.counts}
            held = int(m[row.takes][cpu]) if row.takes else 0
            failures += m.run(name, cpu)
            counted = {each: counted[each] + m.counter(each) - value for each, value in counters.items()}
            change = int(m[row.takes][cpu]) - held if row.takes else 0
            raises, lowers = raises or change > 0, lowers or change < 0
    return failures, counted, raises, lowers


@pytest.mark.parametrize("name", sorted(ROWS))
def test_role_does_what_it_is_for(name):
    row, m = ROWS[name], kit.Machine()
    m.put_to_use(row.prepared)
    assert checkers.check_all(m.mem) == [], f"role {name}: the machine was broken before its first step"
    before = View({field: array.copy() for field, array in m.mem.arrays.items()})
    failures, counted, raises, lowers = run_steps(m, name, row)
    assert failures < NR_STEPS * len(row.cpus), f"role {name} never succeeds"
    assert checkers.check_all(m.mem) == [], f"role {name} leaves a broken machine"
    assert not m["bug_count"][0], f"role {name} stopped with a bug"
    assert all(counted.values()), f"role {name} never counts some of {counted}"
    assert raises == lowers == bool(row.takes), f"role {name} does not both raise and lower {row.takes}"
    row.effect(m, before)
