"""The shortest operations, many in one call: references, list walks, allocations."""

from kernels.alloc.pages import alloc_frozen_pages, cpu_node, free_frozen_pages
from kernels.base.atomics import copy_words
from kernels.base.bitmap import bitmap_base, find_next_bit
from kernels.base.jit import entry
from kernels.base.layout import GANG, HELD_CAPACITY, MT_MOVABLE
from kernels.page.refcount import ref_put_testzero, ref_try_get

#: descriptors that pair_random walks: 64 MiB of them, as the C program does
NR_RANDOM = 1 << 20


@entry
def pair_hot(mem, cpu, desc, nr_ops):
    """Get a reference to one descriptor, with a count above zero, and put it; as in limits.c the put is not tested for the last.

    Returns     nr_ops, or less if a get failed
    Progress    lock-free
    """
    done = 0
    while done < nr_ops and ref_try_get(mem, cpu, desc):
        ref_put_testzero(mem, cpu, desc, 1)
        done += 1
    return done


@entry
def pair_random(mem, cpu, first, nr_ops):
    """The same over NR_RANDOM descriptors in the order of desc_stack, which the machine's maker has shuffled.

    Returns     nr_ops, or less if a get failed
    Progress    lock-free
    """
    k = first
    while k < first + nr_ops:
        desc = mem.desc_stack[k & (NR_RANDOM - 1)]
        if not ref_try_get(mem, cpu, desc):
            break
        ref_put_testzero(mem, cpu, desc, 1)
        k += 1
    return k - first


@entry
def pair_random_tested(mem, cpu, first, nr_ops):
    """The same; the put tests whether it was the last, as every put but a benchmark's does.

    Returns     nr_ops, or less if a get failed or a put was the last
    Progress    lock-free
    """
    k = first
    while k < first + nr_ops:
        desc = mem.desc_stack[k & (NR_RANDOM - 1)]
        if not ref_try_get(mem, cpu, desc) or ref_put_testzero(mem, cpu, desc, 1):
            break
        k += 1
    return k - first


@entry
def walk_list(mem, cpu, ring, nr_ops):
    """Walk a ring of descriptors as a migration walks its list, and write to each. A call continues where the last one ended: gang_desc.

    Parameters  ring: which of up to GANG rings
    Returns     nr_ops
    Progress    wait-free
    """
    desc = mem.gang_desc[cpu * GANG + ring]
    for _ in range(nr_ops):
        mem.pincount[desc] += 1
        desc = mem.folio_next[desc] - 1
    mem.gang_desc[cpu * GANG + ring] = desc
    return nr_ops


@entry
def scan_bits(mem, cpu, row, nr_ops):
    """Visit the set bits of one of CPU 0's bitmaps, from the first to the last, again and again.

    Parameters  row: of the bitmaps (layout.NR_BITMAPS)
    Returns     bits visited: nr_ops or a few more
    Progress    wait-free
    """
    base, visited = bitmap_base(mem, 0, row), 0
    while visited < nr_ops:
        position, total = find_next_bit(mem, base, 0), 0
        while position < mem.window_frames:
            total += position
            visited += 1
            position = find_next_bit(mem, base, position + 1)
        mem.scratch[cpu] = total  # LLVM does not know that this is no bitmap, so it scans again
    return visited


@entry
def copy_frames(mem, cpu, first, nr_ops):  # noqa: ARG001  # as all entries that are timed
    """Copy frames at random: in the order of desc_stack, which the machine's maker has shuffled, each one from the next.

    Returns     nr_ops
    Progress    wait-free
    """
    for k in range(first, first + nr_ops):
        target = mem.desc_stack[2 * k & (mem.nr_frames - 1)]
        source = mem.desc_stack[(2 * k + 1) & (mem.nr_frames - 1)]
        copy_words(mem.contents, target * mem.words_per_frame, source * mem.words_per_frame, mem.words_per_frame)
    return nr_ops


@entry
def alloc_free(mem, cpu, order, nr_ops):
    """Allocate 2^order movable frames without a count, and free them.

    Returns     allocations that succeeded
    Progress    as alloc_frozen_pages
    """
    done = 0
    for _ in range(nr_ops):
        pfn = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), order, MT_MOVABLE)
        if pfn >= 0:
            free_frozen_pages(mem, cpu, pfn, order)
            done += 1
    return done


@entry
def alloc_free_bulk(mem, cpu, order, nr_ops):
    """Allocate `nr_ops` blocks, then free them all in the same order: lists refill and drain. At most HELD_CAPACITY blocks.

    Returns     allocations that succeeded
    Progress    as alloc_frozen_pages
    """
    base = cpu * HELD_CAPACITY
    done = 0
    for _ in range(nr_ops):
        pfn = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), order, MT_MOVABLE)
        if pfn >= 0:
            mem.held_pfn[base + done] = pfn
            done += 1
    for k in range(done):
        free_frozen_pages(mem, cpu, mem.held_pfn[base + k], order)
    return done


@entry
def bulk_pairs(mem, cpu, nr_ops):
    """Allocate HELD_CAPACITY frames, free them in the same order, and again.

    Returns     pairs that succeeded, nr_ops rounded up to HELD_CAPACITY
    Progress    as alloc_frozen_pages
    """
    base, done = cpu * HELD_CAPACITY, 0
    while done < nr_ops:
        for k in range(HELD_CAPACITY):
            mem.held_pfn[base + k] = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_MOVABLE)
        for k in range(HELD_CAPACITY):
            pfn = mem.held_pfn[base + k]
            if pfn >= 0:
                free_frozen_pages(mem, cpu, pfn, 0)
                done += 1
    return done


@entry
def alloc_blocks(mem, cpu, order, first, nr_blocks):
    """Allocate blocks of 2^order movable frames without a count, into ev_pfn[first ...], which no trace uses here.

    Returns     allocations that succeeded
    Progress    as alloc_frozen_pages
    """
    done = 0
    for _ in range(nr_blocks):
        pfn = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), order, MT_MOVABLE)
        if pfn >= 0:
            mem.ev_pfn[first + done] = pfn
            done += 1
    return done


@entry
def free_blocks(mem, cpu, order, first, nr_blocks):
    """Free the blocks of 2^order frames that ev_pfn[first ...] names, in its order.

    Returns     nr_blocks
    Progress    as free_frozen_pages
    """
    for k in range(nr_blocks):
        free_frozen_pages(mem, cpu, mem.ev_pfn[first + k], order)
    return nr_blocks
