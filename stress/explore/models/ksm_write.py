"""Two tasks whose pages are merged into one KSM page while one of them writes, and somebody pins.

CPU 0 merges. CPU 1 is task 1 and writes its page, by a copy-on-write fault if it is a KSM page by then. CPU 2 pins task 0's page by
GUP-fast for writing, and writes through the pin.
"""

from kernels.base.jit import kernel
from kernels.base.layout import INCARNATION_SHIFT
from kernels.map.access import anon_mapping, check_stamp, gup_fast, owner_stamp, raise_oracle, task_access, unpin_folio, write_frame
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_wp_page, fork_range
from kernels.policy.ksm import ksm_merge
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, new_page

VPAGE = 2


@kernel
def write_task(mem, cpu, space):
    """A write by a task: through its translation, or after a write fault.

    Returns     what the access said
    """
    seen = task_access(mem, cpu, space, VPAGE, 1)
    if seen < 0:
        do_wp_page(mem, cpu, space, VPAGE)
        seen = task_access(mem, cpu, space, VPAGE, 1)
    return seen


@kernel
def prepare(mem, cpu):
    """Tasks 0 and 1 have a page each at the same place, and they hold the same: task 1's is a copy of a fork, no longer shared."""
    new_page(mem, cpu, VPAGE)
    fork_range(mem, cpu, 0, 1, VPAGE, 1)
    do_wp_page(mem, cpu, 1, VPAGE)
    do_wp_page(mem, cpu, 0, VPAGE)
    drain_all(mem)
    return 0


@kernel
def write_through_pin(mem, cpu):
    """Pin, write, and take the pin back.

    Returns     whether it could be pinned
    """
    before = mem.oracle[VPAGE]
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
def steps(mem, cpu):
    """Merge; write; write through a pin.

    Returns     what became of it
    """
    if cpu == 0:
        return ksm_merge(mem, cpu, 0, 1, VPAGE)
    if cpu == 1:
        return write_task(mem, cpu, 1)
    return write_through_pin(mem, cpu)


@kernel
def check(mem, cpu):
    """Every write is found by its own task alone, and both are unmapped."""
    drain_all(mem)
    for space in range(2):
        task_access(mem, cpu, space, VPAGE, 0)
        write_task(mem, cpu, space)
        zap_range(mem, cpu, space, VPAGE, 1)
    return 0


MODEL = Model(
    "ksm-write",
    "KSM merging two pages against a task that writes and a pin that is written through",
    "mm/ksm.c; I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("ksm_merged", "met_ksm_refused_by_reference"),
)
