"""Role replay: a recorded kmem trace is replayed event by event, one worker per traced CPU, again and again, since a storm is longer.

Protocol    ev_pfn[slot] is a mailbox for one allocation. The CPU that allocates waits until it is TRACE_NONE, allocates, and
            publishes the pfn, or TRACE_FAILED if there was no memory. The CPU that frees, which may be another one, waits until it
            is not TRACE_NONE, frees that pfn, and empties the mailbox. So in each pass every allocation is freed by its own event,
            and a CPU that is ahead by a pass waits at the first mailbox that is still full: there is no barrier. Every allocation has
            a free to wait for: the module that reads a trace appends one for each allocation that the recording never freed.
            A CPU waits only for events that are earlier in recorded time, or in the pass before, so waits cannot form a cycle.
Invariants  I2, I13: a frame is allocated with the word NONE, and is freed with the stamp of its slot
"""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.atomics import load_acquire, store_release
from kernels.base.bug import chaos_point, relax
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, M_UNKNOWN, NONE_WORD, TRACE_FAILED, TRACE_NONE
from kernels.map.access import check_stamp, stamp_frame
from kernels.page.folio import set_words
from kernels.policy.pagealloc import alloc_pages
from stress.roles._role import Role
from stress.roles._words import KERNEL_STAMP, set_misc_words

#: turns that a step waits for another CPU; then it returns with nothing done, so that its worker can park
MAX_WAIT_TURNS = 256


@kernel
def await_mailbox(mem, cpu, slot, full):
    """Wait at most MAX_WAIT_TURNS turns for another CPU to fill or empty a mailbox.

    Parameters  full: 1 to wait until it is full, 0 until it is empty
    Returns     True if it is; it stays so, since only this CPU may change it next
    Progress    bounded
    """
    turns = 0
    # ORDER: acquire, pairs with the release of the CPU that filled it (the frame's words and stamp) or emptied it
    while (load_acquire(mem.ev_pfn, slot) != TRACE_NONE) != (full == 1):
        if turns == MAX_WAIT_TURNS:
            return False
        turns = relax(mem, cpu, turns)
    return True


@kernel
def replay_alloc(mem, cpu, slot, order, migratetype):
    """Allocate as recorded, and publish the pfn or the failure.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    pfn = alloc_pages(mem, cpu, cpu_node(mem, cpu), order, migratetype)
    if pfn >= 0:
        set_misc_words(mem, pfn, order, M_UNKNOWN)
        stamp_frame(mem, pfn, KERNEL_STAMP | slot, 0)
        chaos_point(mem, cpu)
    # ORDER: release, so that the CPU that frees it finds the stamp; pairs with await_mailbox
    store_release(mem.ev_pfn, slot, pfn if pfn >= 0 else TRACE_FAILED)
    return 0 if pfn >= 0 else -ENOMEM


@kernel
def replay_free(mem, cpu, slot, order):
    """Verify and free the block in a mailbox, and empty the mailbox; a failed allocation has no block.

    Progress    as free_frozen_pages
    """
    pfn = mem.ev_pfn[slot]
    if pfn >= 0:
        check_stamp(mem, cpu, pfn, KERNEL_STAMP | slot)
        set_words(mem, pfn, order, NONE_WORD)
        free_frozen_pages(mem, cpu, pfn, order)
    # ORDER: release, so that the next pass fills it only after it was read here; pairs with await_mailbox
    store_release(mem.ev_pfn, slot, TRACE_NONE)


@kernel
def replay_step(mem, cpu):
    """Replay this CPU's next event, if the CPU that it waits for has got that far.

    Returns     0, or -ENOMEM for an allocation that failed; 0 also if it still has to wait, and nothing was done
    Progress    bounded
    """
    at, end = mem.ev_first[cpu] + mem.ev_next[cpu], mem.ev_first[cpu + 1]
    if at == end:
        return 0  # a CPU without events
    slot, is_alloc = mem.ev_slot[at], mem.ev_kind[at]
    if not await_mailbox(mem, cpu, slot, 1 - is_alloc):
        return 0
    result = 0
    if is_alloc == 1:
        result = replay_alloc(mem, cpu, slot, mem.ev_order[at], mem.ev_migratetype[at])
    else:
        replay_free(mem, cpu, slot, mem.ev_order[at])
    if at + 1 == end:
        mem.ev_next[cpu] = 0
        mem.ev_passes[cpu] += 1
    else:
        mem.ev_next[cpu] += 1
    return result


ROLE = Role(
    "replay", "a recorded kmem trace is replayed again and again, one worker per traced CPU", replay_step, weight=0.0, needs=("trace",)
)
