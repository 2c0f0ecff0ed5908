"""The workloads that are predicted: a hot path, the words that its CPUs share, and the policies that matter to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernels.base.layout import POLICIES, Geometry
from kernels.policy import boot
from stress.machine.segment import create_machine, set_param
from stress.machine.sizes import derived_params
from stress.measure import entries
from stress.predict import hot_paths
from stress.storm.scenario import policy_params

MODULES = (boot.__name__, entries.__name__, hot_paths.__name__)
FRAMES_PER_CPU = 512
PCP_HIGH, PCP_BATCH = 128, 32  # as on a machine that is large enough; derived_params() shortens lists where CPUs share few frames
FIRST_DESC, DESC_STRIDE = 8, 16  # descriptors of the references; no two of them share a line
BULK_BLOCKS = 192  # more than a per-CPU list holds, so that lists refill from the zone and drain to it
TASK_PAGES, TABLE_PAGES = 128, 32

Work = Callable[[Any, int, int], int]  # (mem, cpu, nr_ops) -> operations that succeeded


@dataclass(frozen=True)
class HotPath:
    """One hot path on every CPU at the same time.

    Fields      name; title: for tables; work: what a CPU repeats; call_ops: operations of one call where it is interpreted; slice_ops:
                of one call where it is timed; unit: the operation; prepare: before anything is timed, by each CPU; policies: names of
                those that matter, the others keep their defaults; counters: whose mean counts operations within a call; cycle_accesses:
                of one CPU, until what happens rarely (lists refill and drain) has happened; primitive: the cost model is fitted to it;
                pair_only: it takes two
    """

    name: str
    title: str
    work: Work
    call_ops: int = 1
    slice_ops: int = 1000
    unit: str = "operation"
    prepare: Work | None = None
    policies: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
    cycle_accesses: int = 0
    primitive: bool = False
    pair_only: bool = False

    def values(self) -> list[dict[str, str]]:
        """The policies to set: the defaults, then each other value of each policy that matters and that the kernels have."""
        chosen: list[dict[str, str]] = [{}]
        for name in self.policies:
            chosen += [{name: value} for value in POLICIES.get(name, ())[1:]]
        return chosen


def variant(name: str, policies: dict[str, str]) -> str:
    """A workload under policies, as tables name it."""
    return name + "".join(f", {policy}={value}" for policy, value in policies.items())


def machine(nr_cpus: int, nr_nodes: int, policies: dict[str, str]) -> Any:
    """A booted machine with a task for each CPU and every count at one (where no kernel has set it)."""
    blocks = max(2, -(-max(nr_cpus, 4) * FRAMES_PER_CPU // (512 * nr_nodes)) + 1)
    geometry = Geometry(
        nr_cpus=nr_cpus,
        nr_nodes=nr_nodes,
        frames_per_node=512 * blocks,
        words_per_frame=8,
        nr_tasks=max(4, nr_cpus),
        task_pages=TASK_PAGES,
        table_pages=TABLE_PAGES,
        file_pages=max(64, 8 * nr_cpus),
    )
    params = derived_params(geometry) | {"seed": 1, "tracing": 0, "pcp_high": PCP_HIGH, "pcp_batch": PCP_BATCH}
    mem = create_machine(geometry, params)
    for name, number in policy_params(policies).items():
        set_param(mem, name, number)
    boot.boot(mem, 0)
    return mem


def _own(cpu: int) -> int:
    return FIRST_DESC + (cpu + 1) * DESC_STRIDE


def _alive(mem: Any, cpu: int, _: int) -> int:
    """Descriptors that no workload of references allocates get a count of one."""
    mem.arrays["refcount"][[FIRST_DESC, _own(cpu)]] = 1
    return 1


WORKLOADS = (
    HotPath("add", "add to one word", lambda m, c, n: hot_paths.add_to_line(m, c, FIRST_DESC, n), 10, 4000, primitive=True),
    HotPath("pause", "turns of a spin loop", lambda m, c, n: hot_paths.pause(m, c, 0, n), 50, 1000, primitive=True),
    HotPath("turns", "write in turn", lambda m, c, n: hot_paths.take_turns(m, c, FIRST_DESC, n), 1, 500, primitive=True, pair_only=True),
    HotPath(
        "get_put_shared",
        "get + put, one folio",
        lambda m, c, n: entries.pair_hot(m, c, FIRST_DESC, n),
        1,
        4000,
        prepare=_alive,
        policies=("refcount",),
    ),
    HotPath("get_put_own", "get + put, own folios", lambda m, c, n: entries.pair_hot(m, c, _own(c), n), 1, 4000, prepare=_alive),
    HotPath(
        "alloc_free", "allocate + free, per-CPU lists", lambda m, c, n: entries.alloc_free(m, c, 0, n), 1, 2000, policies=("allocator",)
    ),
    HotPath(
        "bulk",
        "allocate + free in bulk, zone->lock",
        lambda m, c, n: entries.alloc_free_bulk(m, c, 0, n),
        BULK_BLOCKS,
        BULK_BLOCKS,
        policies=("allocator",),
        counters=("pgalloc", "pgfree"),
        cycle_accesses=12_000,
    ),
    HotPath(
        "fault",
        "fault + unmap, own tasks",
        lambda m, c, n: hot_paths.fault_unmap(m, c, c, n),
        1,
        256,
        policies=("allocator",),
        cycle_accesses=5_500,
    ),
    HotPath(
        "cache_shared",
        "page-cache hit, one page",
        lambda m, c, n: hot_paths.cache_hit(m, c, 0, n),
        1,
        2000,
        prepare=lambda m, c, _: hot_paths.cache_fill(m, c, 0, 1),
        policies=("refcount",),
    ),
    HotPath(
        "cache_own",
        "page-cache hit, own pages",
        lambda m, c, n: hot_paths.cache_hit(m, c, 8 * c + 8, n),
        1,
        2000,
        prepare=lambda m, c, _: hot_paths.cache_fill(m, c, 8 * c + 8, 1),
    ),
    HotPath(
        "migrate",
        "migrate a range, own tasks",
        lambda m, c, n: hot_paths.migrate_near(m, c, c, n),
        1,
        16,
        unit="frame",
        prepare=lambda m, c, _: hot_paths.settle_near(m, c, c, 4),
        policies=("migration",),
        counters=("pgmigrate_success",),
        cycle_accesses=8_000,
    ),
)
BY_NAME = {each.name: each for each in WORKLOADS}
