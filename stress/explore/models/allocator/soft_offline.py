"""Two frames with memory errors are taken out of use, one that a task uses and a free one, while the task writes, unmaps and faults.

CPU 0 takes the frame of a page of task 0 out of use, CPU 2 a free frame; a CPU that succeeds puts its frame into use again. CPU 1 writes
the page, unmaps it, and faults another one in, perhaps in one of these frames. No write may be lost, and no frame may stay poisoned.
"""

from kernels.alloc.pages import drain_all_pages
from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_WORD_CHANGED, T_HWPOISON
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.policy.hwpoison import soft_offline_page, unpoison_memory
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import fault_in, new_page, read_and_unmap

VPAGE = 2
VICTIMS = 0  # scratch: the frame that CPU 0 takes out of use, and, two words on, that of CPU 2


@kernel
def prepare(mem, cpu):
    """Task 0 has a page; every other frame is free."""
    used = new_page(mem, cpu, 0, VPAGE)
    mem.scratch[VICTIMS], mem.scratch[VICTIMS + 2] = used, used ^ 1
    drain_all_pages(mem, cpu, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Take out of use and put into use; write, unmap, fault and write.

    Returns     whether the frame was taken, or which accesses faulted
    """
    if cpu == 1:
        missed = task_access(mem, cpu, 0, VPAGE, 1)
        zap_range(mem, cpu, 0, VPAGE, 1)
        fault_in(mem, cpu, 0, VPAGE)
        return missed * 2 + task_access(mem, cpu, 0, VPAGE, 1)
    if soft_offline_page(mem, cpu, mem.scratch[VICTIMS + cpu]) < 0:
        return 0
    unpoison_memory(mem, cpu, mem.scratch[VICTIMS + cpu])
    return 1


@kernel
def check(mem, cpu):
    """No frame is poisoned, every write is found, and the page is unmapped, so that a wrong reference count is seen."""
    for k in range(0, 3, 2):
        word = load_relaxed(mem.memdesc, mem.scratch[VICTIMS + k])
        if word == T_HWPOISON:
            bug(mem, cpu, BUG_WORD_CHANGED, mem.scratch[VICTIMS + k], word, 0)
    read_and_unmap(mem, cpu, 1, VPAGE)
    return 0


MODEL = Model(
    "soft-offline",
    "a used and a free frame are taken out of use for memory errors while a task writes, unmaps and faults",
    "P7, P8, P21; I1, I2, I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("hwpoison_pages", "unpoison_pages", "pgmigrate_success", "met_poison_raced_allocation"),
)
