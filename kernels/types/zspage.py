"""zsmalloc: objects behind handles in frames that move under them.

Models      zs_malloc(), zs_free(), zs_obj_read_begin(), zs_obj_write(), zs_page_isolate(), zs_page_migrate(), zs_page_putback(),
            mm/zsmalloc.c (c17ee635); P10
Differs     a pool per node with NR_ZS_CLASSES classes of 2, 4, 8 and 16 objects; a zspage is one frame; handles belong to CPUs, as a
            block device's slots belong to the CPU that holds their lock; full zspages are on no list; no compaction between zspages.
            The hole that Linux admits, "nothing prevents a zspage from getting destroyed while it is isolated" (TODO in
            zs_page_migrate(), F5), is closed: an owner that empties an isolated zspage releases it, and the isolator frees it.
Invariants  I13: an object has what was written through its handle; I16; F-2
Protocol    locks nest pool (shared by users, exclusive by migration) -> class -> zspage (readers, or the migration; in u_lock).
            A user finds its object under the pool's lock and keeps it from moving with the zspage's; zs_free() does with the class's.
            migrate: all three; copy, re-point every handle of an object in use, then the words: target, state, source.
"""

from kernels.alloc.pages import free_frozen_pages
from kernels.alloc.release import free_uncounted
from kernels.base import counter
from kernels.base.atomics import cas_acquire, copy_words, fetch_add_acquire, fetch_add_release, load_relaxed, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_HANDLE,
    BUG_UDESC_STATE,
    EBUSY,
    LC_ZS_CLASS,
    LC_ZS_POOL,
    NONE_WORD,
    NR_ULISTS,
    NR_ZS_CLASSES,
    OBJ_SHIFT,
    OBJECT_WORDS,
    T_MOVABLE,
)
from kernels.base.lock import read_lock, read_unlock, spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.page.memdesc import word_desc, word_type
from kernels.page.udesc import (
    udesc_alloc,
    udesc_isolate,
    udesc_isolated,
    udesc_publish,
    udesc_putback,
    udesc_settle,
    udesc_take,
    ulist_add,
    ulist_del,
)
from kernels.types.objects import object_base, object_check, object_give, object_stamp, object_take, objects_init

ZS_STAMP = 1 << 59  # of an object, whose handle is in the bits below


@kernel
def zs_object_words(mem, which):
    """The words of an object of class `which` (node * NR_ZS_CLASSES + class).

    Progress    wait-free
    """
    return max(OBJECT_WORDS, mem.words_per_frame >> 1 + which % NR_ZS_CLASSES)


@kernel
def zs_ulist(which):
    """The list of a class's zspages that have room.

    Progress    wait-free
    """
    return which // NR_ZS_CLASSES * NR_ULISTS + which % NR_ZS_CLASSES


@kernel
def zs_record_obj(mem, handle, obj):
    """Point a handle at an object.

    Models      record_obj(), mm/zsmalloc.c
    Progress    wait-free
    """
    # WRITE_ONCE in Linux: a reader of a handle holds the pool's lock or the class's, which this CPU holds too
    store_relaxed(mem.zs_obj, handle, obj + 1)


@kernel
def zs_fill(mem, which, zspage, handle):
    """Take an object of a zspage that has room for a handle; the class's lock held.

    Progress    wait-free
    """
    object_words = zs_object_words(mem, which)
    obj = object_take(mem, zspage, object_words, handle)
    if mem.u_free[zspage] == 0:
        ulist_del(mem, zs_ulist(which), zspage)
    object_stamp(mem, obj, object_words, ZS_STAMP | handle, mem.zs_version[handle])
    mem.zs_class[handle] = which
    zs_record_obj(mem, handle, obj)


@kernel
def zs_malloc(mem, cpu, which, handle):
    """An object of a class for a free handle, from a zspage that has room.

    Models      zs_malloc(), mm/zsmalloc.c
    Returns     False if no zspage has: the caller allocates a frame for zs_malloc_new()
    Progress    blocking on the class's lock
    """
    lock = mem.lock_zs_class + which
    spin_lock(mem, cpu, lock, LC_ZS_CLASS)
    zspage = mem.u_head[zs_ulist(which)] - 1
    if zspage >= 0:
        zs_fill(mem, which, zspage, handle)
    spin_unlock(mem, cpu, lock)
    return zspage >= 0


@kernel
def zs_malloc_new(mem, cpu, which, handle, pfn):
    """Make a frame that the caller has allocated a zspage, and take its first object.

    Models      alloc_zspage(), SetZsPageMovable(), mm/zsmalloc.c
    Returns     False if there is no descriptor; the frame is still the caller's
    Progress    blocking on the class's lock
    """
    zspage = udesc_alloc(mem, cpu, T_MOVABLE, pfn, which)
    if zspage < 0:
        return False
    objects_init(mem, zspage, pfn, zs_object_words(mem, which))
    lock = mem.lock_zs_class + which
    spin_lock(mem, cpu, lock, LC_ZS_CLASS)
    ulist_add(mem, zs_ulist(which), zspage)
    zs_fill(mem, which, zspage, handle)
    udesc_publish(mem, T_MOVABLE, zspage, pfn)
    spin_unlock(mem, cpu, lock)
    count(mem, cpu, counter.ZSPAGE_ALLOC, 1)
    return True


@kernel
def zs_find(mem, cpu, handle):
    """Where a handle's object is now; the pool's lock shared, or the class's held.

    Returns     pfn << 8 | number
    Progress    wait-free; a bug if its frame is no zspage
    """
    obj = load_relaxed(mem.zs_obj, handle) - 1
    word = load_relaxed(mem.memdesc, obj >> OBJ_SHIFT)
    if word_type(word) != T_MOVABLE:
        bug(mem, cpu, BUG_HANDLE, obj >> OBJ_SHIFT, word, T_MOVABLE)
    return obj


@kernel
def zspage_of(mem, obj):
    """The descriptor of the zspage that an object is in.

    Models      get_zspage(), mm/zsmalloc.c
    Progress    wait-free
    """
    return word_desc(load_relaxed(mem.memdesc, obj >> OBJ_SHIFT))


@kernel
def zs_free(mem, cpu, handle):
    """Free a handle's object; the last object frees its zspage.

    Models      zs_free(), free_zspage(), mm/zsmalloc.c
    Progress    blocking on the pool's and the class's lock
    """
    which = mem.zs_class[handle]
    pool, lock = mem.lock_zs_pool + which // NR_ZS_CLASSES, mem.lock_zs_class + which
    read_lock(mem, cpu, pool, LC_ZS_POOL)
    obj = zs_find(mem, cpu, handle)
    zspage = zspage_of(mem, obj)
    spin_lock(mem, cpu, lock, LC_ZS_CLASS)
    read_unlock(mem, cpu, pool)  # it cannot move now: a migration needs the class's lock too
    was_full = mem.u_free[zspage] == 0
    object_give(mem, cpu, zspage, obj, zs_object_words(mem, which), handle)
    store_relaxed(mem.zs_obj, handle, 0)
    if was_full:
        ulist_add(mem, zs_ulist(which), zspage)
    mine = False
    if mem.u_inuse[zspage] == 0:
        ulist_del(mem, zs_ulist(which), zspage)
        mine = udesc_take(mem, cpu, T_MOVABLE, zspage)
        if not mine:
            count(mem, cpu, counter.MET_ZSPAGE_EMPTIED_WHILE_ISOLATED, 1)
    spin_unlock(mem, cpu, lock)
    if mine:
        count(mem, cpu, counter.ZSPAGE_FREE, 1)
        free_uncounted(mem, cpu, T_MOVABLE, zspage, obj >> OBJ_SHIFT)


@kernel
def zs_access(mem, cpu, handle, write):
    """Check a handle's object, and write it once more if `write`.

    Models      zs_obj_read_begin(), zs_obj_write(), mm/zsmalloc.c
    Progress    blocking on the pool's lock
    """
    which = mem.zs_class[handle]
    pool = mem.lock_zs_pool + which // NR_ZS_CLASSES
    object_words, version = zs_object_words(mem, which), mem.zs_version[handle]
    read_lock(mem, cpu, pool, LC_ZS_POOL)
    obj = zs_find(mem, cpu, handle)
    zspage = zspage_of(mem, obj)
    # ORDER: acquire, pairs with the migration's release of the zspage; that holds the pool's lock too, so none is running now
    fetch_add_acquire(mem.u_lock, zspage, 1)
    read_unlock(mem, cpu, pool)
    object_check(mem, cpu, obj, object_words, handle, ZS_STAMP | handle, version)
    chaos_point(mem, cpu)
    if write:
        object_stamp(mem, obj, object_words, ZS_STAMP | handle, version + 1)
        mem.zs_version[handle] = version + 1
    # ORDER: release, pairs with the migration's acquire: it copies what was written
    fetch_add_release(mem.u_lock, zspage, -1)


# ------------------------------------------------------------------------------------- isolate, migrate, put back


@kernel
def isolate_zspage(mem, cpu, pfn, word):
    """LIVE -> ISOLATED by this CPU.

    Models      zs_page_isolate(), mm/zsmalloc.c
    Returns     True if this CPU holds its isolation
    Progress    wait-free
    """
    return udesc_isolate(mem, cpu, pfn, word)


@kernel
def free_released_zspage(mem, cpu, pfn, word):
    """Free a zspage that this CPU isolated and its owner emptied.

    Progress    as free_frozen_pages
    """
    count(mem, cpu, counter.ZSPAGE_FREE, 1)
    free_uncounted(mem, cpu, T_MOVABLE, word_desc(word), pfn)


@kernel
def putback_zspage(mem, cpu, pfn, word):
    """ISOLATED -> LIVE, or free it if its owner emptied it in the meantime.

    Models      zs_page_putback(), mm/zsmalloc.c
    Returns     True if it went back, False if it was freed
    Progress    wait-free unless it is freed
    """
    if udesc_putback(mem, cpu, pfn, word):
        return True
    free_released_zspage(mem, cpu, pfn, word)
    return False


@kernel
def zs_repoint(mem, cpu, which, src_pfn, dst_pfn):
    """Copy a zspage and point every handle of an object in use at the copy; pool, class and zspage locked.

    Models      the loop of zs_page_migrate(), mm/zsmalloc.c
    Progress    wait-free
    """
    object_words = zs_object_words(mem, which)
    copy_words(mem.contents, dst_pfn * mem.words_per_frame, src_pfn * mem.words_per_frame, mem.words_per_frame)
    chaos_point(mem, cpu)
    for number in range(mem.words_per_frame // object_words):
        header = load_relaxed(mem.contents, object_base(mem, dst_pfn << OBJ_SHIFT | number, object_words))
        if header & 1:
            handle = (header >> 1) - 1
            if load_relaxed(mem.zs_obj, handle) != (src_pfn << OBJ_SHIFT | number) + 1:
                bug(mem, cpu, BUG_HANDLE, src_pfn, load_relaxed(mem.zs_obj, handle), src_pfn << OBJ_SHIFT | number)
            zs_record_obj(mem, handle, dst_pfn << OBJ_SHIFT | number)
            count(mem, cpu, counter.MET_ZS_OBJECT_MOVED, 1)


@kernel
def migrate_zspage(mem, cpu, src_pfn, dst_pfn, word):
    """Let a target frame take an isolated zspage's place, and free the source.

    Models      zs_page_migrate(), mm/zsmalloc.c
    Returns     1: moved; 0: the owner had emptied it, and it is freed; -EBUSY: it has a user, and is still isolated
    Progress    blocking on the pool's and the class's lock
    """
    zspage = word_desc(word)
    which = mem.u_owner[zspage]
    pool, lock, result = mem.lock_zs_pool + which // NR_ZS_CLASSES, mem.lock_zs_class + which, 1
    spin_lock(mem, cpu, pool, LC_ZS_POOL)
    spin_lock(mem, cpu, lock, LC_ZS_CLASS)
    if not udesc_isolated(mem, cpu, src_pfn, word):
        result = 0
    elif cas_acquire(mem.u_lock, zspage, 0, -1) != 0:  # ORDER: acquire, pairs with the release of the last user
        result = -EBUSY
    else:
        zs_repoint(mem, cpu, which, src_pfn, dst_pfn)
        store_relaxed(mem.memdesc, dst_pfn, word)
        if not udesc_settle(mem, cpu, src_pfn, word, dst_pfn):
            bug(mem, cpu, BUG_UDESC_STATE, src_pfn, load_relaxed(mem.u_word, zspage), 0)
        store_relaxed(mem.memdesc, src_pfn, NONE_WORD)
        store_relaxed(mem.u_lock, zspage, 0)  # the next user takes it under the pool's lock, which orders it
    spin_unlock(mem, cpu, lock)
    spin_unlock(mem, cpu, pool)
    if result > 0:
        count(mem, cpu, counter.ZSPAGE_MIGRATE, 1)
        free_frozen_pages(mem, cpu, src_pfn, 0)
    elif result == 0:
        free_released_zspage(mem, cpu, src_pfn, word)
    else:
        count(mem, cpu, counter.MET_ZSPAGE_READER_REFUSED_MIGRATION, 1)
    return result
