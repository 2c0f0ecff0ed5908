"""Spin locks that know their owner and yield.

Models      spin_lock(), spin_trylock(), include/linux/spinlock.h
Differs     not queued: test, test-and-set, and after `spin_yield` turns sched_yield(), since a host may have fewer processors
            than the machine has CPUs. The word is the owner's CPU + 1.
Invariants  L2: no CPU holds two locks of one class, except fork's page-table locks, taken in index order
            A shared lock counts its readers below zero; spin_lock() takes it for writing.
Protocol    acquire pairs with the release of the unlock before it
"""

from kernels.base.atomics import cas_acquire, fetch_add_release, load_relaxed, store_relaxed, store_release
from kernels.base.bug import bug, chaos_point, relax
from kernels.base.jit import kernel
from kernels.base.layout import BUG_LOCK_OWNER, NR_LOCK_CLASSES


@kernel
def spin_trylock(mem, cpu, lock, klass):
    """Take a lock if it is free.

    Parameters  lock: index into lock_word; klass: layout.LockClass, for the statistics
    Returns     True if this CPU now owns it
    Progress    wait-free
    """
    # ORDER: acquire, pairs with spin_unlock's release
    if cas_acquire(mem.lock_word, lock, 0, cpu + 1) == 0:
        mem.lock_acquired[cpu * NR_LOCK_CLASSES + klass] += 1
        return True
    return False


@kernel
def spin_lock(mem, cpu, lock, klass):
    """Take a lock, waiting for it.

    Parameters  as spin_trylock
    Progress    blocking; yields the processor while it waits, and leaves if the machine is halted
    """
    if not spin_trylock(mem, cpu, lock, klass):
        mem.lock_contended[cpu * NR_LOCK_CLASSES + klass] += 1
        store_relaxed(mem.cpu_waits, cpu, lock + 1)
        spins = 0
        while load_relaxed(mem.lock_word, lock) != 0 or not spin_trylock(mem, cpu, lock, klass):
            spins = relax(mem, cpu, spins)
        store_relaxed(mem.cpu_waits, cpu, 0)
        mem.lock_spins[cpu * NR_LOCK_CLASSES + klass] += spins
    chaos_point(mem, cpu)


@kernel
def spin_unlock(mem, cpu, lock):
    """Give a lock back; a bug if this CPU does not own it.

    Progress    wait-free
    """
    seen = load_relaxed(mem.lock_word, lock)
    if seen != cpu + 1:
        bug(mem, cpu, BUG_LOCK_OWNER, lock, seen, cpu + 1)
    # ORDER: release, pairs with the next owner's acquire
    store_release(mem.lock_word, lock, 0)


@kernel
def read_lock(mem, cpu, lock, klass):
    """Share a lock with other readers, waiting for its writer.

    Models      read_lock(), include/linux/rwlock.h
    Parameters  as spin_trylock
    Progress    blocking; readers may keep a writer waiting
    """
    spins = 0
    while True:
        seen = load_relaxed(mem.lock_word, lock)
        # ORDER: acquire, pairs with the writer's spin_unlock
        if seen <= 0 and cas_acquire(mem.lock_word, lock, seen, seen - 1) == seen:
            break
        if spins == 0:
            mem.lock_contended[cpu * NR_LOCK_CLASSES + klass] += 1
            store_relaxed(mem.cpu_waits, cpu, lock + 1)
        spins = relax(mem, cpu, spins)
    mem.lock_acquired[cpu * NR_LOCK_CLASSES + klass] += 1
    if spins > 0:
        store_relaxed(mem.cpu_waits, cpu, 0)
        mem.lock_spins[cpu * NR_LOCK_CLASSES + klass] += spins
    chaos_point(mem, cpu)


@kernel
def read_unlock(mem, cpu, lock):
    """Give a share of a lock back; a bug if it has no reader.

    Progress    wait-free
    """
    # ORDER: release, pairs with the next writer's acquire: the reader's loads happen before its stores
    before = fetch_add_release(mem.lock_word, lock, 1)
    if before >= 0:
        bug(mem, cpu, BUG_LOCK_OWNER, lock, before, -1)
