"""Objects in a frame: the free list through their first words, and the stamp by which a user recognises its object.

Models      obj_malloc(), obj_free(), mm/zsmalloc.c; the freelist of a slab, mm/slub.c
Differs     an object is header, owner, version, ..., the version again; a zspage is one frame, where Linux chains up to eight of them,
            so that objects may straddle two
Invariants  I13
Protocol    headers and u_free change under the owner's lock; an object's other words are its holder's. A header is
            (holder's tag + 1) << 1 | 1 of an object in use, (next free object + 1) << 1 of a free one
"""

from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import BUG_HANDLE, BUG_LOST_WRITE, BUG_STRANGER, BUG_TORN_COPY, OBJ_MASK, OBJ_SHIFT
from kernels.page.udesc import udesc_pfn


@kernel
def objects_init(mem, udesc, pfn, object_words):
    """Make all objects of a new frame free.

    Progress    wait-free
    """
    nr_objects = mem.words_per_frame // object_words
    for k in range(nr_objects):
        store_relaxed(mem.contents, pfn * mem.words_per_frame + k * object_words, (k + 2) << 1 if k + 1 < nr_objects else 0)
    mem.u_free[udesc] = 1


@kernel
def object_base(mem, obj, object_words):
    """The first word of an object.

    Parameters  obj: pfn << 8 | number
    Progress    wait-free
    """
    return (obj >> OBJ_SHIFT) * mem.words_per_frame + (obj & OBJ_MASK) * object_words


@kernel
def object_take(mem, udesc, object_words, tag):
    """Take a free object; the caller knows that there is one. The owner's lock held.

    Parameters  tag: of its holder, kept in the header
    Returns     pfn << 8 | number
    Progress    wait-free
    """
    number = mem.u_free[udesc] - 1
    obj = udesc_pfn(mem, udesc) << OBJ_SHIFT | number
    base = object_base(mem, obj, object_words)
    mem.u_free[udesc] = load_relaxed(mem.contents, base) >> 1
    store_relaxed(mem.contents, base, tag + 1 << 1 | 1)
    mem.u_inuse[udesc] += 1
    return obj


@kernel
def object_give(mem, cpu, udesc, obj, object_words, tag):
    """Free an object; the owner's lock held.

    Progress    wait-free; a bug if it was not in use by this holder
    """
    base = object_base(mem, obj, object_words)
    seen = load_relaxed(mem.contents, base)
    if seen != tag + 1 << 1 | 1:
        bug(mem, cpu, BUG_HANDLE, obj >> OBJ_SHIFT, seen, tag + 1 << 1 | 1)
    store_relaxed(mem.contents, base, mem.u_free[udesc] << 1)
    mem.u_free[udesc] = (obj & OBJ_MASK) + 1
    mem.u_inuse[udesc] -= 1


@kernel
def object_stamp(mem, obj, object_words, owner, version):
    """Write an object that the caller holds: its owner, and its version at both ends.

    Progress    wait-free
    """
    base = object_base(mem, obj, object_words)
    store_relaxed(mem.contents, base + 1, owner)
    store_relaxed(mem.contents, base + 2, version)
    store_relaxed(mem.contents, base + object_words - 1, version)


@kernel
def object_check(mem, cpu, obj, object_words, tag, owner, version):
    """A bug unless an object belongs to its holder and has exactly what the holder wrote last.

    Progress    wait-free
    """
    base, pfn = object_base(mem, obj, object_words), obj >> OBJ_SHIFT
    header, seen = load_relaxed(mem.contents, base), load_relaxed(mem.contents, base + 1)
    if header != tag + 1 << 1 | 1:
        bug(mem, cpu, BUG_HANDLE, pfn, header, tag + 1 << 1 | 1)
    if seen != owner:
        bug(mem, cpu, BUG_STRANGER, pfn, seen, owner)
    found = load_relaxed(mem.contents, base + 2)
    chaos_point(mem, cpu)
    mirror = load_relaxed(mem.contents, base + object_words - 1)
    if found != version:
        bug(mem, cpu, BUG_LOST_WRITE, pfn, found, version)
    if mirror != version:
        bug(mem, cpu, BUG_TORN_COPY, pfn, mirror, version)
