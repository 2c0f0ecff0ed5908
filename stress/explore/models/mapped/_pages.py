"""What models of one anonymous page of task 0 share: its virtual page, how it begins, and how it is read and unmapped at the end."""

from kernels.base.atomics import load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import INCARNATION_SHIFT
from kernels.map.access import anon_mapping, check_stamp, gup_fast, owner_stamp, raise_oracle, task_access, unpin_folio, write_frame
from kernels.policy.fault import fork_range
from stress.explore.models._folios import new_page, read_and_unmap

VPAGE = 2
FRAME = 0  # scratch: the frame of the page


@kernel
def prepare_written(mem, cpu):
    """CPU 2 has written the page of task 0, and has its translation."""
    mem.scratch[FRAME] = new_page(mem, cpu, 0, VPAGE)
    task_access(mem, 2, 0, VPAGE, 1)
    return 0


@kernel
def prepare_shared(mem, cpu):
    """Tasks 0 and 1 share a page that task 0 has written."""
    mem.scratch[FRAME] = new_page(mem, cpu, 0, VPAGE)
    task_access(mem, cpu, 0, VPAGE, 1)
    fork_range(mem, cpu, 0, 1, VPAGE, 1)
    return 0


@kernel
def write_through_pin(mem, cpu):
    """Pin the page of task 0 by GUP-fast, write, and unpin.

    Returns     whether it could be pinned
    """
    # ORDER: acquire, before the page is reached; a page that is unmapped meanwhile proves nothing
    before = load_acquire(mem.oracle, VPAGE)
    desc = gup_fast(mem, cpu, 0, VPAGE, 1)
    if desc < 0:
        return 0
    pfn = mem.folio_pfn[desc]
    check_stamp(mem, cpu, pfn, owner_stamp(anon_mapping(0), VPAGE))
    write_frame(mem, cpu, pfn)
    raise_oracle(mem, VPAGE, before >> INCARNATION_SHIFT)
    unpin_folio(mem, cpu, desc)
    return 1


@kernel
def check_one(mem, cpu):
    """Task 0 finds every write and unmaps the page, so that a wrong reference count is seen."""
    read_and_unmap(mem, cpu, 1, VPAGE)
    return 0


@kernel
def check_both(mem, cpu):
    """Tasks 0 and 1 find every write and unmap the page, so that a wrong reference count is seen."""
    read_and_unmap(mem, cpu, 2, VPAGE)
    return 0
