"""Blocks of two frames are inflated and deflated by words alone while compaction isolates and migrates one.

CPU 0 takes a block into its balloon. CPU 1 isolates the block as soon as its word allows that, and migrates it. CPU 2 inflates another
block into the same balloon, and gives back the first one that it finds. The balloon must give back what it was given.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_BALLOON_LOST, MT_MOVABLE
from kernels.types.offline import balloon_deflate, balloon_inflate, is_offline_head, isolate_offline, migrate_offline
from stress.explore.model import Model, small_geometry

BALLOON, ORDER = 0, 1
BLOCKS, GIVEN_BACK = 0, 3  # scratch: the block of CPU 0, CPU 1's target, the block of CPU 2; frames that CPU 2 gave back


@kernel
def prepare(mem, cpu):
    """Three blocks: to inflate, to migrate to, and to inflate."""
    for k in range(3):
        mem.scratch[BLOCKS + k] = alloc_frozen_pages(mem, cpu, 0, ORDER, MT_MOVABLE)
    return 0


@kernel
def move(mem, cpu, pfn, target):
    """Isolate and migrate a block, as compaction does.

    Returns     1: moved; 0: not isolated, or freed
    """
    # a hint: the compare-and-swap decides
    word = load_relaxed(mem.memdesc, pfn)
    moved = 0
    if is_offline_head(word) and isolate_offline(mem, cpu, pfn, word):
        moved = migrate_offline(mem, cpu, pfn, target)
    if not moved:
        free_frozen_pages(mem, cpu, target, ORDER)
    return moved


@kernel
def steps(mem, cpu):
    """Inflate; isolate and migrate; inflate and deflate.

    Returns     whether it moved, or frames given back
    """
    if cpu == 1:
        return move(mem, cpu, mem.scratch[BLOCKS], mem.scratch[BLOCKS + 1])
    balloon_inflate(mem, cpu, BALLOON, mem.scratch[BLOCKS + cpu], ORDER)
    if cpu == 2:
        given_back = balloon_deflate(mem, cpu, BALLOON, 0)
        mem.scratch[GIVEN_BACK] = given_back
        return given_back
    return 0


@kernel
def check(mem, cpu):
    """The balloon gives back what is left, and no more than it was given."""
    given_back = mem.scratch[GIVEN_BACK]
    for _ in range(3):
        given_back += balloon_deflate(mem, cpu, BALLOON, 0)
    if given_back != 2 << ORDER:
        bug(mem, cpu, BUG_BALLOON_LOST, -1, given_back, 2 << ORDER)
    return 0


MODEL = Model(
    "balloon-inflate",
    "a block is inflated and deflated without a count while compaction isolates and migrates it",
    "P1; F-1, I1, I15, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("balloon_migrate",),
)
