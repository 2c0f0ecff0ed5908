# ruff: noqa: C901
"""The one entry of the kernel tests: every kernel by number, so that one compile serves all tests.

    call(mem, "ref_try_get", cpu, desc)

The numbers mean nothing: `OPS` reads them, and which arguments each kernel takes, from the source below.
"""

import ast
from pathlib import Path

from kernels.alloc.buddy import (
    account_free,
    add_to_free_list,
    area_of,
    claims_block,
    del_from_free_list,
    expand,
    fallback_of,
    free_one_block,
    free_one_piece,
    get_pageblock_migratetype,
    is_buddy_block,
    move_freepages_block,
    nid_of,
    rmqueue_block,
    set_range_migratetype,
    steal,
    take_fallback,
    take_smallest,
)
from kernels.alloc.isolation import capture_free_block, isolate_pageblock, nr_allocated_in_block, unisolate_pageblock
from kernels.alloc.pages import (
    alloc_frozen_pages,
    alloc_on_node,
    buddy_alloc,
    check_none,
    cpu_node,
    drain_all_pages,
    drain_pages,
    free_frozen_pages,
    free_to_zone,
    pcp_alloc,
    pcp_drain_list,
    pcp_frames_base,
    pcp_free,
    pcp_refill,
    zone_pcp_disable,
    zone_pcp_enable,
    zone_watermark_ok,
)
from kernels.alloc.release import (
    alloc_counted_pages,
    folio_add_lru,
    folio_put,
    folio_put_refs,
    free_counted_pages,
    lru_add_drain,
    lru_batch_holds,
    recheck_through,
    release_desc,
    try_get_pfn,
    try_get_through,
)
from kernels.base import atomics as at
from kernels.base.bitmap import bitmap_base, bitmap_weight, clear_bit, clear_bitmap, find_next_bit, set_bit, test_bit
from kernels.base.bug import bug, chaos_point, relax
from kernels.base.jit import entry, kernel
from kernels.base.lock import spin_lock, spin_trylock, spin_unlock
from kernels.base.random import random_below, random_bits, seed_random
from kernels.base.vmstat import bucket_of, count, log2_floor, record_latency, trace
from kernels.map.access import (
    anon_mapping,
    check_file_version,
    check_stamp,
    file_access,
    file_mapping,
    gup_fast,
    owner_stamp,
    raise_oracle,
    stamp_frame,
    task_access,
    unpin_folio,
    write_frame,
)
from kernels.map.pagecache import cache_clear, cache_range_empty, cache_slot, cache_store, filemap_get_entry, folio_contains, load_entry
from kernels.map.rmap import (
    forget_page,
    map_page,
    ptl_of,
    remap_one,
    remove_migration_ptes,
    remove_rmap,
    rmap_end,
    rmap_first,
    rmap_step,
    rmap_vpage,
    try_to_migrate,
    unmap_one,
    zap_range,
    zap_table,
)
from kernels.map.tlb import (
    current_pte,
    defer_flush,
    flush_deferred,
    flush_space,
    pay_ipi,
    section_enter,
    section_exit,
    translate,
    wait_for_sections,
)
from kernels.migrate.folio import (
    adopt,
    clear_isolated,
    count_cause,
    count_migrated,
    expected_refs,
    folio_copy,
    folio_migrate_move,
    folio_migrate_undo,
    folio_migrate_unmap,
    folio_putback,
    freed_under_us,
    migrate_mapping,
    release_isolated,
)
from kernels.migrate.folios import give_up, migrate_folios
from kernels.migrate.range import (
    isolate_range,
    isolated_desc,
    migrate_isolated_offline,
    migrate_passes,
    migrate_range,
    move_window,
    putback_range,
    split_in_window,
    unmap_isolated_folio,
    unmap_window,
)
from kernels.migrate.split import make_piece, settle_pieces, split_folio
from kernels.migrate.targets import (
    alloc_target_folio,
    alloc_target_frames,
    cc_pop,
    cc_push,
    cc_release,
    free_target_folio,
    free_target_frames,
    isolate_freepages,
    isolate_freepages_block,
)
from kernels.page.folio import (
    desc_alloc,
    desc_free,
    folio_clear,
    folio_covers,
    folio_lock,
    folio_prepare,
    folio_publish,
    folio_retire_words,
    folio_set,
    folio_test,
    folio_test_clear,
    folio_trylock,
    folio_unlock,
    set_words,
)
from kernels.page.lru import folio_isolate_lru, lru_add, lru_del, lru_link, lru_unlink, lruvec_of
from kernels.page.memdesc import (
    buddy_order,
    buddy_word,
    desc_word,
    is_counted,
    is_folio,
    is_offline_head,
    misc_word,
    offline_owner,
    offline_state,
    with_state,
    word_desc,
    word_order,
    word_type,
)
from kernels.page.refcount import ref_freeze, ref_get, ref_put_testzero, ref_try_get, ref_unfreeze
from kernels.page.shadow import shadow_move
from kernels.policy.boot import boot_zone
from kernels.policy.compaction import (
    claim_block,
    compact_block,
    compact_zone,
    compaction_deferred,
    fill_candidates,
    has_free_block,
    note_outcome,
    reset_scanners,
    try_to_compact_pages,
)
from kernels.policy.contig import evacuate_block, isolate_and_evacuate
from kernels.policy.fault import (
    copy_for_child,
    copy_page,
    do_anonymous_page,
    do_read_fault,
    do_wp_page,
    fork_range,
    handle_fault,
    inherit_oracle,
    is_exclusive,
    migration_entry_wait,
    range_none,
    share_page,
    write_protect_range,
)
from kernels.policy.filemap import (
    create_folio,
    file_read,
    file_truncate,
    file_write,
    file_writeback,
    fill_folio,
    get_folio,
    is_uptodate,
    still_cached,
)
from kernels.policy.numa import clear_hint, do_numa_page, is_misplaced, task_numa_work, under_rate_limit
from kernels.policy.pagealloc import alloc_folio, alloc_misplaced_dst, alloc_pages, discard_folio, put_misplaced_dst
from kernels.policy.reclaim import isolate_tail, reclaim_one, remove_mapping, shrink_node, unmap_file_folio
from kernels.types.folios import isolate_folio
from kernels.types.offline import (
    balloon_deflate,
    balloon_inflate,
    free_offline,
    free_released,
    inventory_remove,
    isolate_offline,
    isolated_word,
    make_offline,
    migrate_offline,
    move_state,
    must_move_state,
    publish_offline,
    putback_offline,
)


@kernel
def base_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/base, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 100:
        return bitmap_base(cpu, a)
    if op == 101:
        clear_bitmap(mem, a)
        return 0
    if op == 102:
        set_bit(mem, a, b)
        return 0
    if op == 103:
        clear_bit(mem, a, b)
        return 0
    if op == 104:
        return test_bit(mem, a, b)
    if op == 105:
        return find_next_bit(mem, a, b)
    if op == 106:
        return bitmap_weight(mem, a)
    if op == 107:
        bug(mem, cpu, a, b, c, d)
        return 0
    if op == 108:
        return relax(mem, cpu, a)
    if op == 109:
        chaos_point(mem, cpu)
        return 0
    if op == 110:
        return spin_trylock(mem, cpu, a, b)
    if op == 111:
        spin_lock(mem, cpu, a, b)
        return 0
    if op == 112:
        spin_unlock(mem, cpu, a)
        return 0
    if op == 113:
        return random_bits(mem, cpu)
    if op == 114:
        return random_below(mem, cpu, a)
    if op == 115:
        seed_random(mem, cpu, a)
        return 0
    if op == 116:
        count(mem, cpu, a, b)
        return 0
    if op == 117:
        return log2_floor(a)
    if op == 118:
        return bucket_of(a)
    if op == 119:
        record_latency(mem, cpu, a, b, c)
        return 0
    if op == 120:
        trace(mem, cpu, a, b, c)
        return 0
    return -1


@kernel
def page_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/page, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 200:
        return desc_alloc(mem, cpu)
    if op == 201:
        desc_free(mem, cpu, a)
        return 0
    if op == 202:
        return folio_prepare(mem, cpu, a, b, c, d, e)
    if op == 203:
        set_words(mem, a, b, c)
        return 0
    if op == 204:
        folio_publish(mem, cpu, a, b)
        return 0
    if op == 205:
        folio_retire_words(mem, cpu, a)
        return 0
    if op == 206:
        return folio_covers(mem, a, b)
    if op == 207:
        return folio_test(mem, a, b)
    if op == 208:
        folio_set(mem, a, b)
        return 0
    if op == 209:
        folio_clear(mem, a, b)
        return 0
    if op == 210:
        return folio_test_clear(mem, a, b)
    if op == 211:
        return folio_trylock(mem, cpu, a)
    if op == 212:
        folio_lock(mem, cpu, a)
        return 0
    if op == 213:
        folio_unlock(mem, cpu, a)
        return 0
    if op == 214:
        return lruvec_of(mem, a)
    if op == 215:
        lru_link(mem, a, b)
        return 0
    if op == 216:
        lru_unlink(mem, cpu, a, b)
        return 0
    if op == 217:
        lru_add(mem, cpu, a)
        return 0
    if op == 218:
        lru_del(mem, cpu, a)
        return 0
    if op == 219:
        return folio_isolate_lru(mem, cpu, a)
    if op == 220:
        return word_type(a)
    if op == 221:
        return is_counted(a)
    if op == 222:
        return is_folio(a)
    if op == 223:
        return desc_word(a, b)
    if op == 224:
        return word_desc(a)
    if op == 225:
        return buddy_word(a)
    if op == 226:
        return buddy_order(a)
    if op == 227:
        return misc_word(a, b, c, d)
    if op == 228:
        return word_order(a)
    if op == 229:
        return is_offline_head(a)
    if op == 230:
        return offline_state(a)
    if op == 231:
        return offline_owner(a)
    if op == 232:
        return with_state(a, b, cpu)
    if op == 233:
        return ref_try_get(mem, cpu, a)
    if op == 234:
        ref_get(mem, a, b)
        return 0
    if op == 235:
        return ref_put_testzero(mem, cpu, a, b)
    if op == 236:
        return ref_freeze(mem, cpu, a, b)
    if op == 237:
        ref_unfreeze(mem, cpu, a, b)
        return 0
    if op == 238:
        shadow_move(mem, cpu, a, b, c, d)
        return 0
    return -1


@kernel
def alloc_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/alloc, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 300:
        return nid_of(mem, a)
    if op == 301:
        return area_of(a, b, c)
    if op == 302:
        return get_pageblock_migratetype(mem, a)
    if op == 303:
        account_free(mem, a, b, c)
        return 0
    if op == 304:
        add_to_free_list(mem, a, b, c)
        return 0
    if op == 305:
        del_from_free_list(mem, cpu, a, b, c)
        return 0
    if op == 306:
        return is_buddy_block(mem, a, b)
    if op == 307:
        free_one_block(mem, cpu, a, b)
        return 0
    if op == 308:
        free_one_piece(mem, cpu, a, b)
        return 0
    if op == 309:
        set_range_migratetype(mem, a, b, c)
        return 0
    if op == 310:
        expand(mem, a, b, c, d)
        return 0
    if op == 311:
        return move_freepages_block(mem, cpu, a, b)
    if op == 312:
        return fallback_of(a, b)
    if op == 313:
        return take_smallest(mem, cpu, a, b, c)
    if op == 314:
        return claims_block(mem, a, b)
    if op == 315:
        return steal(mem, cpu, a, b, c, d, e, f)
    if op == 316:
        return take_fallback(mem, cpu, a, b, c)
    if op == 317:
        return rmqueue_block(mem, cpu, a, b, c)
    if op == 318:
        return nr_allocated_in_block(mem, a)
    if op == 319:
        return isolate_pageblock(mem, cpu, a)
    if op == 320:
        unisolate_pageblock(mem, cpu, a)
        return 0
    if op == 321:
        return capture_free_block(mem, cpu, a, b)
    if op == 322:
        check_none(mem, cpu, a, b)
        return 0
    if op == 323:
        return pcp_frames_base(mem, a, b)
    if op == 324:
        return pcp_refill(mem, cpu, a, b, c, d)
    if op == 325:
        pcp_drain_list(mem, cpu, a, b, c, d)
        return 0
    if op == 326:
        return pcp_alloc(mem, cpu, a, b, c)
    if op == 327:
        return buddy_alloc(mem, cpu, a, b, c)
    if op == 328:
        return zone_watermark_ok(mem, a, b, c)
    if op == 329:
        return alloc_on_node(mem, cpu, a, b, c)
    if op == 330:
        return cpu_node(mem, cpu)
    if op == 331:
        return alloc_frozen_pages(mem, cpu, a, b, c)
    if op == 332:
        free_to_zone(mem, cpu, a, b, c)
        return 0
    if op == 333:
        return pcp_free(mem, cpu, a, b, c, d)
    if op == 334:
        free_frozen_pages(mem, cpu, a, b)
        return 0
    if op == 335:
        drain_pages(mem, cpu, a, b)
        return 0
    if op == 336:
        drain_all_pages(mem, cpu, a)
        return 0
    if op == 337:
        zone_pcp_disable(mem, cpu, a)
        return 0
    if op == 338:
        zone_pcp_enable(mem, cpu, a)
        return 0
    if op == 339:
        release_desc(mem, cpu, a)
        return 0
    if op == 340:
        return folio_put(mem, cpu, a)
    if op == 341:
        folio_put_refs(mem, cpu, a, b)
        return 0
    if op == 342:
        return try_get_through(mem, cpu, a, b)
    if op == 343:
        return recheck_through(mem, cpu, a, b, c)
    if op == 344:
        return try_get_pfn(mem, cpu, a)
    if op == 345:
        lru_add_drain(mem, cpu)
        return 0
    if op == 346:
        folio_add_lru(mem, cpu, a)
        return 0
    if op == 347:
        return alloc_counted_pages(mem, cpu, a, b, c)
    if op == 348:
        free_counted_pages(mem, cpu, a, b)
        return 0
    if op == 349:
        return lru_batch_holds(mem, a)
    return -1


@kernel
def map_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/map, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 400:
        return anon_mapping(a)
    if op == 401:
        return file_mapping(a)
    if op == 402:
        return owner_stamp(a, b)
    if op == 403:
        stamp_frame(mem, a, b, c)
        return 0
    if op == 404:
        check_stamp(mem, cpu, a, b)
        return 0
    if op == 405:
        return write_frame(mem, cpu, a)
    if op == 406:
        raise_oracle(mem, a, b)
        return 0
    if op == 407:
        return task_access(mem, cpu, a, b, c)
    if op == 408:
        return file_access(mem, cpu, a, b)
    if op == 409:
        check_file_version(mem, cpu, a, b, c)
        return 0
    if op == 410:
        return gup_fast(mem, cpu, a, b, c)
    if op == 411:
        unpin_folio(mem, cpu, a)
        return 0
    if op == 412:
        return cache_slot(mem, a, b)
    if op == 413:
        return load_entry(mem, a, b)
    if op == 414:
        return folio_contains(mem, a, b)
    if op == 415:
        return filemap_get_entry(mem, cpu, a, b)
    if op == 416:
        return cache_range_empty(mem, a, b, c)
    if op == 417:
        cache_store(mem, a, b, c, d)
        return 0
    if op == 418:
        cache_clear(mem, a, b, c)
        return 0
    if op == 419:
        return ptl_of(mem, a, b)
    if op == 420:
        return rmap_first(mem, a)
    if op == 421:
        return rmap_step(mem, a)
    if op == 422:
        return rmap_end(mem, a)
    if op == 423:
        return rmap_vpage(mem, a, b)
    if op == 424:
        remove_rmap(mem, cpu, a)
        return 0
    if op == 425:
        return unmap_one(mem, cpu, a, b, c)
    if op == 426:
        return try_to_migrate(mem, cpu, a, b)
    if op == 427:
        remap_one(mem, cpu, a, b, c, d, e)
        return 0
    if op == 428:
        remove_migration_ptes(mem, cpu, a, b, c, d, e)
        return 0
    if op == 429:
        map_page(mem, cpu, a, b, c, d, e)
        return 0
    if op == 430:
        forget_page(mem, a, b)
        return 0
    if op == 431:
        return zap_table(mem, cpu, a, b, c)
    if op == 432:
        return zap_range(mem, cpu, a, b, c)
    if op == 433:
        section_enter(mem, cpu, a)
        return 0
    if op == 434:
        section_exit(mem, cpu)
        return 0
    if op == 435:
        wait_for_sections(mem, cpu, a)
        return 0
    if op == 436:
        pay_ipi(mem, cpu)
        return 0
    if op == 437:
        flush_space(mem, cpu, a)
        return 0
    if op == 438:
        return defer_flush(mem, cpu, a, b)
    if op == 439:
        return flush_deferred(mem, cpu, a)
    if op == 440:
        return translate(mem, cpu, a, b, c)
    if op == 441:
        return current_pte(mem, a, b)
    return -1


@kernel
def types_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/types, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 500:
        return isolate_folio(mem, cpu, a, b, c)
    if op == 501:
        return move_state(mem, cpu, a, b, c)
    if op == 502:
        must_move_state(mem, cpu, a, b, c)
        return 0
    if op == 503:
        return make_offline(mem, a, b, c)
    if op == 504:
        publish_offline(mem, cpu, a, b)
        return 0
    if op == 505:
        free_offline(mem, cpu, a, b)
        return 0
    if op == 506:
        balloon_inflate(mem, cpu, a, b, c)
        return 0
    if op == 507:
        inventory_remove(mem, cpu, a, b)
        return 0
    if op == 508:
        return balloon_deflate(mem, cpu, a, b)
    if op == 509:
        return isolate_offline(mem, cpu, a, b)
    if op == 510:
        return isolated_word(mem, cpu, a)
    if op == 511:
        free_released(mem, cpu, a, b)
        return 0
    if op == 512:
        return putback_offline(mem, cpu, a)
    if op == 513:
        return migrate_offline(mem, cpu, a, b)
    return -1


@kernel
def migrate_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/migrate, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 600:
        count_cause(mem, cpu, a, b)
        return 0
    if op == 601:
        count_migrated(mem, cpu, a, b, c)
        return 0
    if op == 602:
        return expected_refs(mem, a)
    if op == 603:
        return folio_migrate_unmap(mem, cpu, a, b, c, d, e)
    if op == 604:
        folio_migrate_undo(mem, cpu, a, b, c)
        return 0
    if op == 605:
        return migrate_mapping(mem, cpu, a, b, c)
    if op == 606:
        adopt(mem, a, b)
        return 0
    if op == 607:
        folio_copy(mem, cpu, a, b)
        return 0
    if op == 608:
        return folio_migrate_move(mem, cpu, a, b, c)
    if op == 609:
        release_isolated(mem, cpu, a)
        return 0
    if op == 610:
        clear_isolated(mem, cpu, a)
        return 0
    if op == 611:
        folio_putback(mem, cpu, a)
        return 0
    if op == 612:
        return freed_under_us(mem, cpu, a, b)
    if op == 613:
        return give_up(mem, cpu, a, b)
    if op == 614:
        return isolate_range(mem, cpu, a, b)
    if op == 615:
        return isolated_desc(mem, cpu, a)
    if op == 616:
        return split_in_window(mem, cpu, a, b, c)
    if op == 617:
        return unmap_isolated_folio(mem, cpu, a, b, c, d, e, f)
    if op == 618:
        return migrate_isolated_offline(mem, cpu, a, b, c, d)
    if op == 619:
        return unmap_window(mem, cpu, a, b, c, d, e, f)
    if op == 620:
        return move_window(mem, cpu, a, b, c)
    if op == 621:
        return migrate_passes(mem, cpu, a, b, c, d, e, f, g)
    if op == 622:
        return putback_range(mem, cpu, a, b)
    if op == 623:
        return migrate_range(mem, cpu, a, b, c, d)
    if op == 624:
        make_piece(mem, cpu, a, b, c)
        return 0
    if op == 625:
        return split_folio(mem, cpu, a)
    if op == 626:
        settle_pieces(mem, cpu, a, b, c)
        return 0
    if op == 627:
        cc_push(mem, cpu, a, b)
        return 0
    if op == 628:
        return cc_pop(mem, cpu, a)
    if op == 629:
        cc_release(mem, cpu)
        return 0
    if op == 630:
        isolate_freepages_block(mem, cpu, a)
        return 0
    if op == 631:
        isolate_freepages(mem, cpu, a)
        return 0
    if op == 632:
        return alloc_target_frames(mem, cpu, a, b, c)
    if op == 633:
        free_target_frames(mem, cpu, a, b, c)
        return 0
    if op == 634:
        return alloc_target_folio(mem, cpu, a, b)
    if op == 635:
        free_target_folio(mem, cpu, a, b)
        return 0
    if op == 636:
        return migrate_folios(mem, cpu, a, alloc_misplaced_dst, put_misplaced_dst, b, c, d)
    return -1


@kernel
def policy_op(mem, cpu, op, a, b, c, d, e, f, g):
    """One kernel of kernels/policy, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op == 700:
        boot_zone(mem, a)
        return 0
    if op == 701:
        return has_free_block(mem, a, b)
    if op == 702:
        return fill_candidates(mem, cpu, a)
    if op == 703:
        return claim_block(mem, cpu, a)
    if op == 704:
        return compact_block(mem, cpu, a, b, c)
    if op == 705:
        reset_scanners(mem, a)
        return 0
    if op == 706:
        return compaction_deferred(mem, cpu, a, b)
    if op == 707:
        note_outcome(mem, a, b, c)
        return 0
    if op == 708:
        return compact_zone(mem, cpu, a, b, c, d)
    if op == 709:
        return try_to_compact_pages(mem, cpu, a, b)
    if op == 710:
        return evacuate_block(mem, cpu, a)
    if op == 711:
        return isolate_and_evacuate(mem, cpu, a)
    if op == 712:
        migration_entry_wait(mem, cpu, a, b)
        return 0
    if op == 713:
        return range_none(mem, a, b, c)
    if op == 714:
        return do_anonymous_page(mem, cpu, a, b, c)
    if op == 715:
        return is_exclusive(mem, a)
    if op == 716:
        return copy_page(mem, cpu, a, b, c)
    if op == 717:
        return do_wp_page(mem, cpu, a, b)
    if op == 718:
        return do_read_fault(mem, cpu, a, b, c)
    if op == 719:
        return handle_fault(mem, cpu, a, b, c, d)
    if op == 720:
        inherit_oracle(mem, a, b)
        return 0
    if op == 721:
        return write_protect_range(mem, a, b, c)
    if op == 722:
        return share_page(mem, cpu, a, b, c)
    if op == 723:
        return copy_for_child(mem, cpu, a, b, c)
    if op == 724:
        return fork_range(mem, cpu, a, b, c, d)
    if op == 725:
        fill_folio(mem, a, b)
        return 0
    if op == 726:
        return is_uptodate(mem, a)
    if op == 727:
        return create_folio(mem, cpu, a, b, c, d)
    if op == 728:
        return get_folio(mem, cpu, a, b, c, d)
    if op == 729:
        return still_cached(mem, a, b)
    if op == 730:
        return file_read(mem, cpu, a, b, c, d)
    if op == 731:
        return file_write(mem, cpu, a, b, c, d)
    if op == 732:
        return file_writeback(mem, cpu, a, b)
    if op == 733:
        return file_truncate(mem, cpu, a, b)
    if op == 734:
        return task_numa_work(mem, cpu, a, b)
    if op == 735:
        return under_rate_limit(mem, a, b)
    if op == 736:
        return is_misplaced(mem, cpu, a, b)
    if op == 737:
        clear_hint(mem, cpu, a, b, c)
        return 0
    if op == 738:
        return do_numa_page(mem, cpu, a, b)
    if op == 739:
        return alloc_pages(mem, cpu, a, b, c)
    if op == 740:
        return alloc_folio(mem, cpu, a, b, c, d, e)
    if op == 741:
        discard_folio(mem, cpu, a)
        return 0
    if op == 742:
        return alloc_misplaced_dst(mem, cpu, a, b)
    if op == 743:
        put_misplaced_dst(mem, cpu, a, b)
        return 0
    if op == 744:
        return isolate_tail(mem, cpu, a)
    if op == 745:
        unmap_file_folio(mem, cpu, a)
        return 0
    if op == 746:
        return remove_mapping(mem, cpu, a)
    if op == 747:
        return reclaim_one(mem, cpu, a)
    if op == 748:
        return shrink_node(mem, cpu, a, b)
    return -1


@kernel
def atomic_op(mem, cpu, op, a, b, c, d, e, f, g):
    """Every atomic, on a field of 64 bits (contents) and on one of 32 (refcount), and plain accesses.

    Returns     what it returns, or 0
    Progress    wait-free
    """
    if op == 801:  # contents.load_relaxed
        return at.load_relaxed(mem.contents, a)
    if op == 802:  # contents.load_acquire
        return at.load_acquire(mem.contents, a)
    if op == 803:  # contents.store_relaxed
        at.store_relaxed(mem.contents, a, b)
        return 0
    if op == 804:  # contents.store_release
        at.store_release(mem.contents, a, b)
        return 0
    if op == 805:  # contents.cas_relaxed
        return at.cas_relaxed(mem.contents, a, b, c)
    if op == 806:  # contents.cas_acquire
        return at.cas_acquire(mem.contents, a, b, c)
    if op == 807:  # contents.cas_release
        return at.cas_release(mem.contents, a, b, c)
    if op == 808:  # contents.cas_acq_rel
        return at.cas_acq_rel(mem.contents, a, b, c)
    if op == 809:  # contents.cas_seq_cst
        return at.cas_seq_cst(mem.contents, a, b, c)
    if op == 810:  # contents.fetch_add_relaxed
        return at.fetch_add_relaxed(mem.contents, a, b)
    if op == 811:  # contents.fetch_add_acquire
        return at.fetch_add_acquire(mem.contents, a, b)
    if op == 812:  # contents.fetch_add_release
        return at.fetch_add_release(mem.contents, a, b)
    if op == 813:  # contents.fetch_add_acq_rel
        return at.fetch_add_acq_rel(mem.contents, a, b)
    if op == 814:  # contents.fetch_add_seq_cst
        return at.fetch_add_seq_cst(mem.contents, a, b)
    if op == 815:  # contents.fetch_or_relaxed
        return at.fetch_or_relaxed(mem.contents, a, b)
    if op == 816:  # contents.fetch_or_acquire
        return at.fetch_or_acquire(mem.contents, a, b)
    if op == 817:  # contents.fetch_or_release
        return at.fetch_or_release(mem.contents, a, b)
    if op == 818:  # contents.fetch_or_acq_rel
        return at.fetch_or_acq_rel(mem.contents, a, b)
    if op == 819:  # contents.fetch_or_seq_cst
        return at.fetch_or_seq_cst(mem.contents, a, b)
    if op == 820:  # contents.fetch_and_relaxed
        return at.fetch_and_relaxed(mem.contents, a, b)
    if op == 821:  # contents.fetch_and_acquire
        return at.fetch_and_acquire(mem.contents, a, b)
    if op == 822:  # contents.fetch_and_release
        return at.fetch_and_release(mem.contents, a, b)
    if op == 823:  # contents.fetch_and_acq_rel
        return at.fetch_and_acq_rel(mem.contents, a, b)
    if op == 824:  # contents.fetch_and_seq_cst
        return at.fetch_and_seq_cst(mem.contents, a, b)
    if op == 825:  # contents.exchange_relaxed
        return at.exchange_relaxed(mem.contents, a, b)
    if op == 826:  # contents.exchange_acquire
        return at.exchange_acquire(mem.contents, a, b)
    if op == 827:  # contents.exchange_release
        return at.exchange_release(mem.contents, a, b)
    if op == 828:  # contents.exchange_acq_rel
        return at.exchange_acq_rel(mem.contents, a, b)
    if op == 829:  # contents.exchange_seq_cst
        return at.exchange_seq_cst(mem.contents, a, b)
    if op == 830:  # refcount.load_relaxed
        return at.load_relaxed(mem.refcount, a)
    if op == 831:  # refcount.load_acquire
        return at.load_acquire(mem.refcount, a)
    if op == 832:  # refcount.store_relaxed
        at.store_relaxed(mem.refcount, a, b)
        return 0
    if op == 833:  # refcount.store_release
        at.store_release(mem.refcount, a, b)
        return 0
    if op == 834:  # refcount.cas_relaxed
        return at.cas_relaxed(mem.refcount, a, b, c)
    if op == 835:  # refcount.cas_acquire
        return at.cas_acquire(mem.refcount, a, b, c)
    if op == 836:  # refcount.cas_release
        return at.cas_release(mem.refcount, a, b, c)
    if op == 837:  # refcount.cas_acq_rel
        return at.cas_acq_rel(mem.refcount, a, b, c)
    if op == 838:  # refcount.cas_seq_cst
        return at.cas_seq_cst(mem.refcount, a, b, c)
    if op == 839:  # refcount.fetch_add_relaxed
        return at.fetch_add_relaxed(mem.refcount, a, b)
    if op == 840:  # refcount.fetch_add_acquire
        return at.fetch_add_acquire(mem.refcount, a, b)
    if op == 841:  # refcount.fetch_add_release
        return at.fetch_add_release(mem.refcount, a, b)
    if op == 842:  # refcount.fetch_add_acq_rel
        return at.fetch_add_acq_rel(mem.refcount, a, b)
    if op == 843:  # refcount.fetch_add_seq_cst
        return at.fetch_add_seq_cst(mem.refcount, a, b)
    if op == 844:  # refcount.fetch_or_relaxed
        return at.fetch_or_relaxed(mem.refcount, a, b)
    if op == 845:  # refcount.fetch_or_acquire
        return at.fetch_or_acquire(mem.refcount, a, b)
    if op == 846:  # refcount.fetch_or_release
        return at.fetch_or_release(mem.refcount, a, b)
    if op == 847:  # refcount.fetch_or_acq_rel
        return at.fetch_or_acq_rel(mem.refcount, a, b)
    if op == 848:  # refcount.fetch_or_seq_cst
        return at.fetch_or_seq_cst(mem.refcount, a, b)
    if op == 849:  # refcount.fetch_and_relaxed
        return at.fetch_and_relaxed(mem.refcount, a, b)
    if op == 850:  # refcount.fetch_and_acquire
        return at.fetch_and_acquire(mem.refcount, a, b)
    if op == 851:  # refcount.fetch_and_release
        return at.fetch_and_release(mem.refcount, a, b)
    if op == 852:  # refcount.fetch_and_acq_rel
        return at.fetch_and_acq_rel(mem.refcount, a, b)
    if op == 853:  # refcount.fetch_and_seq_cst
        return at.fetch_and_seq_cst(mem.refcount, a, b)
    if op == 854:  # refcount.exchange_relaxed
        return at.exchange_relaxed(mem.refcount, a, b)
    if op == 855:  # refcount.exchange_acquire
        return at.exchange_acquire(mem.refcount, a, b)
    if op == 856:  # refcount.exchange_release
        return at.exchange_release(mem.refcount, a, b)
    if op == 857:  # refcount.exchange_acq_rel
        return at.exchange_acq_rel(mem.refcount, a, b)
    if op == 858:  # refcount.exchange_seq_cst
        return at.exchange_seq_cst(mem.refcount, a, b)
    if op == 859:  # contents.read
        return mem.contents[a]
    if op == 860:  # contents.write
        mem.contents[a] = b
        return 0
    if op == 861:  # refcount.read
        return mem.refcount[a]
    if op == 862:  # refcount.write
        mem.refcount[a] = b
        return 0
    if op == 863:  # contents.copy_words
        at.copy_words(mem.contents, a, b, c)
        return 0
    if op == 864:  # bit
        return at.bit(a)
    if op == 865:  # ctz
        return at.ctz(a)
    if op == 866:  # popcount
        return at.popcount(a)
    if op == 867:  # cycles
        return at.cycles()
    if op == 868:  # fence_seq_cst
        at.fence_seq_cst()
        return 0
    if op == 869:  # cpu_relax
        at.cpu_relax()
        return 0
    if op == 870:  # sched_yield
        at.sched_yield()
        return 0
    if op == 871:  # param.nr_frames
        return mem.nr_frames
    return -1


@entry
def do(mem, cpu, op, a, b, c, d, e, f, g):
    """Any kernel, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    if op < 200:
        return base_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 300:
        return page_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 400:
        return alloc_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 500:
        return map_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 600:
        return types_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 700:
        return migrate_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 800:
        return policy_op(mem, cpu, op, a, b, c, d, e, f, g)
    if op < 900:
        return atomic_op(mem, cpu, op, a, b, c, d, e, f, g)
    return -1


def _read_ops():
    """name -> (number, names of its arguments), from the if-chains above."""
    found, source = {}, Path(__file__).read_text()
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.Eq):
            _, _, label = lines[node.lineno - 1].partition("# ")
            calls = [each for each in ast.walk(node.body[0]) if isinstance(each, ast.Call)]
            used = sorted({each.id for each in ast.walk(ast.Module(node.body, [])) if isinstance(each, ast.Name) and each.id in "abcdefg"})
            name = label or calls[0].func.id
            if not name.endswith("_op"):
                found[name] = (node.test.comparators[0].value, len(used))
    return found


OPS = _read_ops()


def call(mem, name, cpu, *values):
    """Call one kernel on a CPU with the arguments that it takes beside mem and cpu."""
    number, arity = OPS[name]
    if len(values) != arity:
        raise TypeError(f"{name} takes {arity} arguments beside mem and cpu, not {len(values)}")
    return do(mem, cpu, number, *map(int, values), *([0] * (7 - arity)))
