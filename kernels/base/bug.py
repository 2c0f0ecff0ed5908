"""What happens when an invariant breaks, and what widens the race windows in which it might.

`bug()` writes a record and ends the process. Every waiting loop calls `relax()`, which ends the process once the machine is halted, so
no CPU spins on a lock whose owner has exited. There is no unwinding: a broken machine is never used again. In the explored flavour both
are requests (points.py): a task that leaves is never resumed, and a task that waits does not run until a word that it read has changed.
"""

from kernels.base.atomics import cpu_relax, cycles, exit_process, fetch_add_seq_cst, load_relaxed, nap, sched_yield, store_release
from kernels.base.flavour import CHAOS
from kernels.base.jit import kernel, slow_kernel
from kernels.base.layout import EXIT_ABANDONED, EXIT_BUG
from kernels.base.random import random_below
from kernels.base.site import with_site

SPINS_BEFORE_NAP = 1024  # tens of microseconds: a running owner never holds a lock for longer


@slow_kernel
def record_bug(mem, cpu, code, pfn, seen, wanted, site):
    """Record a broken invariant (layout.Bug), halt the machine, leave this process. Kernels call bug(), which adds the site.

    Models      VM_BUG_ON_FOLIO(), include/linux/mmdebug.h
    Parameters  pfn: the frame concerned or -1; seen, wanted: two words, whose meaning layout.Bug gives for each code;
                site: the kernel that calls (site.py)
    Progress    does not return
    """
    # ORDER: seq_cst only to number the records; a record is read after its process has exited
    slot = fetch_add_seq_cst(mem.bug_count, 0, 1)
    if slot <= mem.nr_cpus:
        mem.bug_code[slot] = code
        mem.bug_cpu[slot] = cpu
        mem.bug_pfn[slot] = pfn
        mem.bug_seen[slot] = seen
        mem.bug_wanted[slot] = wanted
        mem.bug_site[slot] = site
        mem.bug_ns[slot] = cycles() * 1000 // mem.cycles_per_us
    # ORDER: release, so that a CPU that sees the halt sees the record
    store_release(mem.halt, 0, 1)
    exit_process(EXIT_BUG)


bug = with_site(record_bug, 5)


@kernel
def relax(mem, cpu, spins):
    """One turn of a loop that waits for another CPU: pause, sometimes yield, after a while sleep; leave if the machine is halted.

    Models      cpu_relax()
    Returns     spins + 1
    Progress    the caller's
    """
    if load_relaxed(mem.halt, 0) != 0:
        exit_process(EXIT_ABANDONED)
    if spins % mem.spin_yield == mem.spin_yield - 1:
        if spins < SPINS_BEFORE_NAP:
            sched_yield()
        else:
            nap()
    else:
        cpu_relax()
    return spins + 1


@kernel
def chaos_point(mem, cpu):
    """A point where a protocol is at risk: with probability chaos_ppm, yield or pause. Nothing in the fast and explored flavours.

    Progress    bounded
    """
    if CHAOS:
        if mem.chaos_ppm > 0:
            drawn = random_below(mem, cpu, 1000000)
            if drawn < mem.chaos_ppm:
                mem.cpu_chaos[cpu] += 1
                if drawn & 1:
                    sched_yield()
                else:
                    for _ in range(random_below(mem, cpu, 2000)):
                        cpu_relax()
