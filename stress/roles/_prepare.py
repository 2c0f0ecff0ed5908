"""The state that a scenario with [fragmentation] starts from: given shares of each kind of memory, fragmented. Not a role; one entry.

Memory is filled with all kinds in random order, and then freed at random places until each kind has its share, so that free memory is
scattered. One process does all of it on behalf of every CPU, so that the same seed gives the same machine.
"""

from kernels.alloc.pages import cpu_node
from kernels.alloc.release import lru_add_drain
from kernels.base.atomics import load_relaxed
from kernels.base.jit import entry, kernel
from kernels.base.layout import HELD_CAPACITY, PIN_CAPACITY
from kernels.base.random import random_below
from kernels.map.pagecache import cache_slot
from kernels.map.rmap import zap_range
from kernels.policy.fault import handle_fault
from kernels.policy.filemap import file_read, file_truncate
from stress.roles.kernel import RECLAIMABLE, UNMOVABLE, drop_one, hold
from stress.roles.speculator import pin_page

FILE_EVERY = 4  # one movable page in so many is a file's, until no file page is left
MOST_FAILURES = 4096  # allocations or choices that may fail before a loop gives up


@kernel
def nr_anon_pages(mem):
    """The number of anonymous pages of all tasks. Pages of movable memory are numbered, and these come first.

    Progress    wait-free
    """
    return mem.nr_tasks * mem.anon_pages


@kernel
def movable_place(mem, number):
    """The place of page `number` of movable memory in `pte`, or in `cache`; successive numbers go round the tasks, or the files.

    Progress    wait-free
    """
    if number < nr_anon_pages(mem):
        return number % mem.nr_tasks * mem.task_pages + number // mem.nr_tasks
    number -= nr_anon_pages(mem)
    return cache_slot(mem, number % mem.nr_files, number // mem.nr_files)


@kernel
def is_there(mem, number):
    """Whether a page of movable memory has a frame.

    Progress    wait-free
    """
    place = movable_place(mem, number)
    return load_relaxed(mem.pte, place) != 0 if number < nr_anon_pages(mem) else load_relaxed(mem.cache, place) != 0


@kernel
def fill_page(mem, cpu, number):
    """Give a page of movable memory a frame.

    Returns     0 or a negated errno
    Progress    as handle_fault
    """
    place = movable_place(mem, number)
    if number < nr_anon_pages(mem):
        return handle_fault(mem, cpu, place // mem.task_pages, place % mem.task_pages, 1, 0)
    return file_read(mem, cpu, cpu_node(mem, cpu), place // mem.file_pages, place % mem.file_pages, 0)


@kernel
def empty_page(mem, cpu, number):
    """Free the frame of a page of movable memory.

    Progress    as zap_range
    """
    place = movable_place(mem, number)
    if number < nr_anon_pages(mem):
        zap_range(mem, cpu, place // mem.task_pages, place % mem.task_pages, 1)
    else:
        file_truncate(mem, cpu, place // mem.file_pages, place % mem.file_pages)


@kernel
def next_page(mem, nr_anon, nr_cached):
    """The next page of movable memory to fill.

    Parameters  nr_anon, nr_cached: how many of each kind were filled
    Returns     its number, or -1 if all are filled
    Progress    wait-free
    """
    anon_left, cache_left = nr_anon < nr_anon_pages(mem), nr_cached < mem.nr_files * mem.file_pages
    if cache_left and (not anon_left or nr_cached * FILE_EVERY < nr_anon + nr_cached):
        return nr_anon_pages(mem) + nr_cached
    return nr_anon if anon_left else -1


@kernel
def held_frames(mem):
    """Frames of all allocations in the inventories of role `kernel`.

    Progress    wait-free
    """
    frames = 0
    for cpu in range(mem.nr_cpus):
        for k in range(mem.held_count[cpu]):
            frames += 1 << mem.held_order[cpu * HELD_CAPACITY + k]
    return frames


@kernel
def fill_memory(mem, movable, unmovable, reclaimable):
    """Allocate until each kind has the given number of frames, or MOST_FAILURES allocations have failed.

    Returns     pages of movable memory that were filled: anonymous << 32 | cached
    Progress    bounded
    """
    nr_anon, nr_cached, nr_unmovable, nr_reclaimable, failures = 0, 0, 0, 0, 0
    while failures < MOST_FAILURES:
        left = max(0, movable - nr_anon - nr_cached), max(0, unmovable - nr_unmovable), max(0, reclaimable - nr_reclaimable)
        if left[0] + left[1] + left[2] == 0:
            break
        choice, cpu = random_below(mem, 0, left[0] + left[1] + left[2]), random_below(mem, 0, mem.nr_cpus)
        result = -1
        if choice < left[0]:
            number = next_page(mem, nr_anon, nr_cached)
            if number >= 0:
                result = fill_page(mem, cpu, number)
                nr_cached += 1 if number >= nr_anon_pages(mem) else 0
                nr_anon += 1 if number < nr_anon_pages(mem) else 0
        elif mem.held_count[cpu] < HELD_CAPACITY // 2:
            kind = UNMOVABLE if choice < left[0] + left[1] else RECLAIMABLE
            order = random_below(mem, 0, 4) if random_below(mem, 0, 4) == 0 else 0
            result = hold(mem, cpu, kind, order)
            if result == 0:
                nr_unmovable += 1 << order if kind == UNMOVABLE else 0
                nr_reclaimable += 1 << order if kind == RECLAIMABLE else 0
        failures += 1 if result < 0 else 0
    return nr_anon << 32 | nr_cached


@kernel
def thin_out(mem, filled, movable, held):
    """Free at random places until movable memory and the kernel's each have at most the given number of frames.

    Parameters  filled: the result of fill_memory
    Progress    bounded
    """
    nr_anon, nr_cached = filled >> 32, filled & 0xFFFFFFFF
    present = nr_anon + nr_cached
    failures = 0
    while present > movable and failures < MOST_FAILURES:
        number = random_below(mem, 0, nr_anon + nr_cached)
        number += nr_anon_pages(mem) - nr_anon if number >= nr_anon else 0
        if is_there(mem, number):
            empty_page(mem, random_below(mem, 0, mem.nr_cpus), number)
            present, failures = present - 1, 0
        else:
            failures += 1
    frames = held_frames(mem)
    while frames > held:
        cpu = random_below(mem, 0, mem.nr_cpus)
        if mem.held_count[cpu] > 0:
            frames -= drop_one(mem, cpu)


@kernel
def pin_some(mem, pinned):
    """Pin random pages of tasks, on each CPU in turn.

    Returns     pins
    Progress    bounded
    """
    pins, failures = 0, 0
    while pins < pinned and failures < MOST_FAILURES:
        cpu, space = pins % mem.nr_cpus, random_below(mem, 0, mem.nr_tasks)
        if mem.pin_count[cpu] < PIN_CAPACITY and pin_page(mem, cpu, space, random_below(mem, 0, mem.anon_pages)) > 0:
            pins += 1
        else:
            failures += 1
    return pins


@entry
def prepare(mem, cpu, movable, unmovable, reclaimable, pinned, brim):
    """Bring a booted machine to given shares of memory.

    Parameters  all in frames; pinned: of the movable ones; brim: how many are allocated before the freeing starts
    Returns     frames that role `kernel` holds
    Progress    bounded
    """
    total = max(1, movable + unmovable + reclaimable)
    most = max(brim, total)
    filled = fill_memory(mem, movable * most // total, unmovable * most // total, reclaimable * most // total)
    thin_out(mem, filled, movable, unmovable + reclaimable)
    for each in range(mem.nr_cpus):
        lru_add_drain(mem, each)
    pin_some(mem, pinned)
    return held_frames(mem)
