"""One small machine that every role has worked on, and copies of it to break."""

import numpy as np
import pytest

from kernels.base.layout import ALLOCATOR_BITFIELD, TRACE_NONE, Geometry
from stress.checkers._view import View
from stress.checkers.conservation import COUNTED
from stress.machine.segment import create_machine
from stress.machine.sizes import derived_params

GEOMETRY = Geometry(
    nr_cpus=2,
    nr_nodes=2,
    frames_per_node=512,
    pageblock_order=3,
    words_per_frame=8,
    nr_tasks=8,
    task_pages=64,
    table_pages=32,
    nr_files=4,
    file_pages=64,
    max_trace_pfn=4,
)
ROUNDS, OPS_PER_BATCH = 6, 60


def run_every_role(mem):
    """Batches of all roles, on both CPUs in turn; no two run at the same time."""
    from stress import roles  # late: it builds kernels

    for _ in range(ROUNDS):
        for role in range(len(roles.ROLES)):
            for cpu in range(GEOMETRY.nr_cpus):
                roles.run_batch(mem, cpu, role, OPS_PER_BATCH)


def use_machine(**params):
    """A machine on which every role has worked."""
    from kernels.policy.boot import boot

    mem = create_machine(GEOMETRY, derived_params(GEOMETRY) | {"seed": 11, "reserved_frames": 8, "memory_block_blocks": 1} | params)
    boot(mem, 0)
    mem.arrays["ev_pfn"][:] = TRACE_NONE  # role replay has no events here
    run_every_role(mem)
    return mem


@pytest.fixture(scope="package")
def used():
    """The arrays of a machine at rest that has been used."""
    mem = use_machine()
    _prepare(mem)
    return {name: array.copy() for name, array in mem.arrays.items()}


@pytest.fixture(scope="package")
def used_bits():
    """The same under allocator = bitfield; one CPU holds an isolated pageblock."""
    from stress import roles

    mem = use_machine(policy_allocator=ALLOCATOR_BITFIELD)
    for _ in range(1000):
        if mem.arrays["isolated_block"].any():
            break
        roles.run_batch(mem, 0, roles.ROLE_INDEX["compactor"], 1)
    assert not mem.arrays["bug_count"][0]
    return {name: array.copy() for name, array in mem.arrays.items()}


def _prepare(mem):
    """Run roles until the machine has everything that a corruption needs. It comes and goes."""
    from stress import roles

    at = mem.arrays

    def counted_block():
        held = View(dict(at)).held.at
        return ((at["held_kind"][held] == COUNTED) & (at["held_order"][held] > 0)).any()

    wanted = {
        "hotplug": at["offline_first"].any,
        "kernel": counted_block,
        "hugetlb": lambda: at["huge_count"].any() and at["huge_free"].any(),
        "hwpoison": at["poison_count"].any,
        "netpool": lambda: at["net_slot"].any() and at["net_cached"].any(),
        "contig": at["contig_held"].any,
        # last, since it disables the per-CPU lists of a node; the compaction of other roles leaves an isolated block alone
        "compactor": lambda: at["isolated_block"].any() and not at["zone_pcp_disabled"].all(),
    }
    for role, there in wanted.items():
        for _ in range(1000):
            if there():
                break
            roles.run_batch(mem, 0, roles.ROLE_INDEX[role], 1)
            if role == "hotplug":  # it needs free memory, so others must allocate and free
                for other in ("anon", "kernel", "balloon", "numa"):
                    roles.run_batch(mem, 0, roles.ROLE_INDEX[other], 20)
        assert there(), f"role {role} never left what the corruptions need"
    for turn in range(1000):
        for cpu in range(GEOMETRY.nr_cpus):
            roles.run_batch(mem, cpu, roles.ROLE_INDEX["anon" if turn % 2 else "filecache"], 20)
        if len(View(dict(at)).pcp.at) and at["nr_free"].max() > 2:
            break
    assert not mem.arrays["bug_count"][0]


@pytest.fixture
def arrays(used):
    """A copy to break."""
    return {name: array.copy() for name, array in used.items()}


@pytest.fixture
def view(arrays):
    """The machine before it is broken, decoded."""
    return View({name: array.copy() for name, array in arrays.items()})


@pytest.fixture
def rng():
    return np.random.default_rng(5)
