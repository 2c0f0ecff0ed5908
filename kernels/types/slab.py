"""Slabs: kernel objects in frames that never move, because their users have plain pointers; given back when they are empty.

Models      ___slab_alloc(), __slab_free(), __kmem_cache_shrink(), mm/slub.c; shrink_slab(), mm/shrinker.c; P21
Differs     a cache per node, without per-CPU slabs; an object is in use or free, and no shrinker of its users frees objects: reclaim
            gets the slabs that are empty
Invariants  F-2; I13: an object has what its user wrote; I1: a slab is on the list for its number of objects
Protocol    the node's slab lock covers its lists and its slabs' free lists. Up to SLAB_MIN_EMPTY empty slabs are kept, until
            slab_shrink() is called for memory.
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.release import free_uncounted
from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    LC_SLAB,
    NR_ULISTS,
    OBJ_SHIFT,
    OBJECT_WORDS,
    SLAB_MIN_EMPTY,
    SLAB_OBJECTS,
    T_SLAB,
    UL_SLAB_EMPTY,
    UL_SLAB_PARTIAL,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.page.memdesc import word_desc
from kernels.page.udesc import udesc_alloc, udesc_pfn, udesc_publish, udesc_take, ulist_add, ulist_del
from kernels.types.objects import object_give, object_take, objects_init


@kernel
def slab_object_words(mem):
    """The words of an object.

    Progress    wait-free
    """
    return max(OBJECT_WORDS, mem.words_per_frame // SLAB_OBJECTS)


@kernel
def slab_fill(mem, nid, slab, tag):
    """Take an object of a slab that has room, and move the slab to the list that it then belongs on; the node's lock held.

    Returns     pfn << 8 | number
    Progress    wait-free
    """
    if mem.u_inuse[slab] == 0:
        ulist_del(mem, nid * NR_ULISTS + UL_SLAB_EMPTY, slab)
        ulist_add(mem, nid * NR_ULISTS + UL_SLAB_PARTIAL, slab)
    obj = object_take(mem, slab, slab_object_words(mem), tag)
    if mem.u_free[slab] == 0:
        ulist_del(mem, nid * NR_ULISTS + UL_SLAB_PARTIAL, slab)
    return obj


@kernel
def slab_alloc(mem, cpu, nid, tag):
    """An object from a slab that has room, partly used ones first.

    Models      get_from_partial_node(), mm/slub.c
    Parameters  tag: of the user, kept in the object's header
    Returns     pfn << 8 | number; -1 if no slab has room: the caller allocates a frame for slab_alloc_new()
    Progress    blocking on the node's lock
    """
    spin_lock(mem, cpu, mem.lock_slab + nid, LC_SLAB)
    slab = mem.u_head[nid * NR_ULISTS + UL_SLAB_PARTIAL] - 1
    if slab < 0:
        slab = mem.u_head[nid * NR_ULISTS + UL_SLAB_EMPTY] - 1
    obj = slab_fill(mem, nid, slab, tag) if slab >= 0 else -1
    spin_unlock(mem, cpu, mem.lock_slab + nid)
    return obj


@kernel
def slab_alloc_new(mem, cpu, pfn, tag):
    """Make a frame that the caller has allocated a slab of its node's cache, and take its first object.

    Models      new_slab(), mm/slub.c
    Returns     pfn << 8 | number; -1 if there is no descriptor, and the frame is still the caller's
    Progress    blocking on the node's lock
    """
    nid = nid_of(mem, pfn)
    slab = udesc_alloc(mem, cpu, T_SLAB, pfn, nid)
    if slab < 0:
        return -1
    objects_init(mem, slab, pfn, slab_object_words(mem))
    spin_lock(mem, cpu, mem.lock_slab + nid, LC_SLAB)
    ulist_add(mem, nid * NR_ULISTS + UL_SLAB_EMPTY, slab)
    obj = slab_fill(mem, nid, slab, tag)
    udesc_publish(mem, T_SLAB, slab, pfn)
    spin_unlock(mem, cpu, mem.lock_slab + nid)
    return obj


@kernel
def slab_free(mem, cpu, obj, tag):
    """Free an object, and its slab too if that is empty now and enough empty slabs are kept.

    Models      __slab_free(), mm/slub.c
    Progress    blocking on the node's lock
    """
    pfn = obj >> OBJ_SHIFT
    slab, nid = word_desc(load_relaxed(mem.memdesc, pfn)), nid_of(mem, pfn)
    spin_lock(mem, cpu, mem.lock_slab + nid, LC_SLAB)
    was_full = mem.u_free[slab] == 0
    object_give(mem, cpu, slab, obj, slab_object_words(mem), tag)
    if was_full:
        ulist_add(mem, nid * NR_ULISTS + UL_SLAB_PARTIAL, slab)
    surplus = False
    if mem.u_inuse[slab] == 0:
        ulist_del(mem, nid * NR_ULISTS + UL_SLAB_PARTIAL, slab)
        surplus = mem.u_listed[nid * NR_ULISTS + UL_SLAB_EMPTY] >= SLAB_MIN_EMPTY
        if surplus:
            udesc_take(mem, cpu, T_SLAB, slab)
        else:
            ulist_add(mem, nid * NR_ULISTS + UL_SLAB_EMPTY, slab)
    spin_unlock(mem, cpu, mem.lock_slab + nid)
    if surplus:
        free_uncounted(mem, cpu, T_SLAB, slab, pfn)


@kernel
def slab_shrink(mem, cpu, nid):
    """Give the empty slabs of a node back.

    Models      shrink_slab(), mm/shrinker.c; __kmem_cache_shrink(), mm/slub.c
    Returns     frames freed
    Progress    blocking on the node's lock, slab by slab
    """
    freed = 0
    while freed < SLAB_MIN_EMPTY:
        spin_lock(mem, cpu, mem.lock_slab + nid, LC_SLAB)
        slab, pfn = mem.u_head[nid * NR_ULISTS + UL_SLAB_EMPTY] - 1, -1
        if slab >= 0:
            ulist_del(mem, nid * NR_ULISTS + UL_SLAB_EMPTY, slab)
            udesc_take(mem, cpu, T_SLAB, slab)
            pfn = udesc_pfn(mem, slab)
        spin_unlock(mem, cpu, mem.lock_slab + nid)
        if slab < 0:
            break
        free_uncounted(mem, cpu, T_SLAB, slab, pfn)
        freed += 1
    if freed > 0:
        count(mem, cpu, counter.NR_SLAB_FREED, freed)
        count(mem, cpu, counter.MET_SLAB_SHRUNK_UNDER_PRESSURE, 1)
    return freed
