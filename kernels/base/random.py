"""Random numbers per CPU: Marsaglia's xorshift128 on four 32-bit words ("Xorshift RNGs", 2003), the same in every execution.

Every intermediate stays below 2^63, so compiled and interpreted arithmetic agree without wrapping.
"""

from kernels.base.jit import kernel

MASK32 = (1 << 32) - 1


@kernel
def random_bits(mem, cpu):
    """The next 32 random bits of this CPU.

    Returns     0..2^32-1
    Progress    wait-free
    """
    x = mem.rng0[cpu]
    w = mem.rng3[cpu]
    t = x ^ ((x << 11) & MASK32)
    mem.rng0[cpu] = mem.rng1[cpu]
    mem.rng1[cpu] = mem.rng2[cpu]
    mem.rng2[cpu] = w
    w = w ^ (w >> 19) ^ t ^ (t >> 8)
    mem.rng3[cpu] = w
    return w


@kernel
def random_below(mem, cpu, bound):
    """A random number in 0..bound-1 (bound < 2^31; 0 for a bound below 1).

    Progress    wait-free
    """
    return (random_bits(mem, cpu) * max(bound, 1)) >> 32


@kernel
def seed_random(mem, cpu, seed):
    """Start this CPU's sequence from `seed`.

    Progress    wait-free
    """
    word = (seed * 69069 + cpu * 7919 + 362437) & MASK32
    mem.rng0[cpu] = word | 1
    mem.rng1[cpu] = (word * 69069 + 1) & MASK32
    mem.rng2[cpu] = (word * 1103515 + 12345) & MASK32
    mem.rng3[cpu] = (cpu * 2654435 + 88675123) & MASK32
    for _ in range(16):
        random_bits(mem, cpu)
