"""Read-copy update: lockless readers mark their sections, and freeing waits until no reader can still hold the object.

Models      rcu_read_lock(), synchronize_rcu(), kernel/rcu
Differs     a counter per CPU, odd inside a section; a grace period looks at every CPU once; there is no batching
Invariants  I11: an object is freed only after every lockless reader that may have seen it has left its section
Protocol    reader: counter odd, full fence, load the pointer. Updater: replace the pointer, full fence, then look at each
            counter: one that is even, or changes, is of a reader that can only see the new pointer
"""

from kernels.base import counter
from kernels.base.atomics import fence_seq_cst, load_relaxed, store_release
from kernels.base.bug import relax
from kernels.base.jit import kernel
from kernels.base.vmstat import count


@kernel
def rcu_read_lock(mem, cpu):
    """Begin a section. No code in it waits for a lock.

    Models      rcu_read_lock(), include/linux/rcupdate.h
    Progress    wait-free
    """
    # ORDER: release, as rcu_read_unlock's: a CPU that waits for the previous section may see this store instead of its end
    store_release(mem.rcu_seq, cpu, mem.rcu_seq[cpu] + 1)
    # ORDER: seq_cst, the counter is odd before any pointer is loaded; pairs with synchronize_rcu's fence
    fence_seq_cst()


@kernel
def rcu_read_unlock(mem, cpu):
    """End a section.

    Models      rcu_read_unlock(), include/linux/rcupdate.h
    Progress    wait-free
    """
    # ORDER: release, pairs with the last fence of synchronize_rcu: the section's loads happen before the object is freed
    store_release(mem.rcu_seq, cpu, mem.rcu_seq[cpu] + 1)


@kernel
def synchronize_rcu(mem, cpu):
    """Wait until every section that had begun has ended.

    Models      synchronize_rcu(), kernel/rcu/tree.c
    Progress    blocking on other CPUs' sections
    """
    # ORDER: seq_cst, the pointer is replaced before any counter is looked at
    fence_seq_cst()
    for other in range(mem.nr_cpus):
        seen = load_relaxed(mem.rcu_seq, other)  # the fence below is also its acquire
        if seen & 1 and other != cpu:
            count(mem, cpu, counter.MET_RCU_WAITED_FOR_READER, 1)
            spins = 0
            while load_relaxed(mem.rcu_seq, other) == seen:
                spins = relax(mem, cpu, spins)
    # ORDER: seq_cst, nothing after it happens before the last reader has left; pairs with rcu_read_unlock's release
    fence_seq_cst()
