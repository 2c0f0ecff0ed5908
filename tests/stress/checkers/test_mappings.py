"""Broken by hand: page cache, page tables, translations and contents."""

import numpy as np
import pytest

from kernels.base import layout as at
from tests.stress.checkers.corruption import Cases, anon_folio, anon_pte, cached_folio, stamp_at

pytestmark = pytest.mark.slow

CASES = Cases()
breaks = CASES.breaks


@breaks("pagecache", "I10", "not a folio of this file")
def slot_of_another_file(arrays, view):
    arrays["mapping"][cached_folio(view)] += 2


@breaks("pagecache", "I10", "does not cover the index")
def slot_kept_a_folio_that_moved_on(arrays, view):
    arrays["folio_index"][cached_folio(view)] += 8


@breaks("pagecache", "I10", "does not point to a folio")
def sibling_of_nothing(arrays, view):
    arrays["cache"][np.flatnonzero(view["cache"] == 0)[0]] = 1 | np.flatnonzero(view["cache"][:64] == 0)[0] << 1


@breaks("pagecache", "I13", "not uptodate")
def not_uptodate(arrays, view):
    arrays["flags"][cached_folio(view)] &= ~at.FL_UPTODATE


@breaks("pagecache", "I10", "number of slots of a cached folio")
def slot_cleared(arrays, view):
    desc = cached_folio(view)
    arrays["cache"][np.flatnonzero(view.cache_desc == desc)[0]] = 0
    return view["folio_pfn"][desc]


@breaks("pagecache", "I10", "nor a sibling of it")
def sibling_is_a_head(arrays, view):
    slot = np.flatnonzero((view["cache"] & at.SIBLING_BIT != 0) & (view.cache_desc >= 0))[0]
    arrays["cache"][slot] = view.cache_desc[slot] + 1 << 1
    return view["folio_pfn"][view.cache_desc[slot]]


@breaks("rmap", "I10", "pfn that does not exist")
def mapped_beyond_memory(arrays, view):
    arrays["pte"][anon_pte(view)[0]] = view.nr_frames << at.PTE_PFN_SHIFT | at.PTE_PRESENT


@breaks("rmap", "I13", "writable PTE is not exclusive")
def shared_page_is_writable(arrays, view):
    place, pfn = anon_pte(view)
    arrays["pte"][place] &= ~at.PTE_EXCLUSIVE
    return pfn


@breaks("rmap", "I13", "KSM page is writable")
def merged_page_is_writable(arrays, view):
    _, pfn = anon_pte(view)
    arrays["memdesc"][pfn] ^= at.T_ANON ^ at.T_KSM
    return pfn


@breaks("rmap", "I10", "does not belong at its address")
def mapped_at_the_wrong_address(arrays, view):
    arrays["folio_index"][anon_folio(view)] += 1


@breaks("rmap", "I13", "mapped more than once")
def exclusive_page_shared(arrays, view):
    exclusive = view.mapped[view["pte"][view.mapped] & at.PTE_EXCLUSIVE != 0]
    arrays["pte"][exclusive[0]] = arrays["pte"][exclusive[1]]


@breaks("migration_entries", "I14", "left after its migration ended")
def migration_entry_left(arrays, view):
    place, pfn = anon_pte(view)
    arrays["pte"][place] = int(pfn) << at.PTE_PFN_SHIFT | at.PTE_MIGRATION
    return pfn


@breaks("migration_entries", "I14", "not present, not empty and not a migration entry")
def entry_of_no_kind(arrays, view):
    place, pfn = anon_pte(view)
    arrays["pte"][place] &= ~at.PTE_PRESENT
    return pfn


@breaks("migration_entries", "I14", "present PTE has bits of a migration entry")
def restored_with_a_migration_bit(arrays, view):
    place, pfn = anon_pte(view)
    arrays["pte"][place] |= at.PTE_MIG_DIRTY
    return pfn


def fill_tlb(arrays, view, place, value):
    space, vpage = divmod(int(place), view.param("task_pages"))
    arrays["tlb_tag"][5], arrays["tlb_value"][5] = space << 32 | vpage, value
    arrays["tlb_filled"][5] = view["tlb_generation"][space]


@breaks("tlb", "I12", "no longer maps there")
def flush_was_skipped(arrays, view):
    place, pfn = anon_pte(view)
    fill_tlb(arrays, view, place, view["pte"][place])
    arrays["pte"][place] = 0
    return pfn


@breaks("tlb", "I12", "allows writes that the PTE does not")
def write_protected_without_a_flush(arrays, view):
    place, _ = anon_pte(view)
    fill_tlb(arrays, view, place, view["pte"][place] | at.PTE_DIRTY)
    arrays["pte"][place] &= ~at.PTE_WRITE


@breaks("tlb", "I12", "generation above")
def filled_in_a_later_generation(arrays, view):
    place, _ = anon_pte(view)
    fill_tlb(arrays, view, place, view["pte"][place])
    arrays["tlb_filled"][5] += 1


@breaks("contents_anon", "I13", "stray writes")
def written_without_being_counted(arrays, view):
    _, pfn = anon_pte(view)
    arrays["contents"][stamp_at(view, pfn, at.STAMP_VERSION)] += 1
    arrays["contents"][stamp_at(view, pfn + 1, -1)] += 1
    return pfn


@breaks("contents_anon", "I13", "lost writes")
def write_lost_by_the_copy(arrays, view):
    arrays["oracle"][anon_pte(view)[0]] += 1


@breaks("contents_anon", "I13", "another owner's stamp")
def anonymous_page_of_a_stranger(arrays, view):
    _, pfn = anon_pte(view)
    arrays["contents"][stamp_at(view, pfn, at.STAMP_OWNER)] ^= 1
    return pfn


@breaks("contents_anon", "I13", "torn")
def copy_torn(arrays, view):
    _, pfn = anon_pte(view)
    arrays["contents"][stamp_at(view, pfn + 1, -1)] += 1
    return pfn


@breaks("contents_file", "I13", "differs from the number of writes to it")
def write_to_a_file_lost(arrays, view):
    desc = cached_folio(view)
    arrays["file_oracle"][np.flatnonzero(view.cache_desc == desc)[0]] += 1
    return view["folio_pfn"][desc]


@breaks("contents_file", "I13", "differs from the version on disk")
def dirty_bit_lost(arrays, view):
    arrays["disk"][np.flatnonzero(view.cache_desc == cached_folio(view))[0]] += 1


@breaks("contents_file", "I13", "another page's stamp")
def cached_page_of_another_file(arrays, view):
    pfn = view["folio_pfn"][cached_folio(view)]
    arrays["contents"][stamp_at(view, pfn, at.STAMP_OWNER)] += 1 << 33
    return pfn


@breaks("contents_file", "I13", "torn")
def read_of_half_a_page(arrays, view):
    pfn = view["folio_pfn"][cached_folio(view)]
    arrays["contents"][stamp_at(view, pfn + 1, -1)] += 1
    return pfn


@breaks("contents_file", "I13", "not cached, and its version on disk")
def dropped_while_dirty(arrays, view):
    arrays["file_oracle"][np.flatnonzero(view["cache"] == 0)[0]] += 1


@breaks("contents_held", "I13", "written after its holder stamped it")
def stale_translation_wrote_to_the_kernels_frame(arrays, view):
    pfn = view.held.value[view["held_kind"][view.held.at] != 2][0]
    arrays["contents"][stamp_at(view, pfn, at.STAMP_VERSION)] += 1
    return pfn


@CASES.parametrize
def test_is_caught(arrays, view, checker, invariant, message, case):
    CASES.expect(arrays, view, checker, invariant, message, case)
