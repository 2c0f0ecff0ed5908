"""Frames allocated and freed: in turn through the per-CPU list or the zone, in bulk, and by two CPUs."""

from . import common

BULK_BLOCKS = 1024


class Allocation:
    params = ([0, 3, 9],)
    param_names = ("order",)
    timeout = common.BUILD_TIMEOUT_S

    def setup(self, order: int) -> None:
        from stress.measure import machines

        self.machine = machines.frames_machine(max(1 << 14, 2 * BULK_BLOCKS << order))

    @common.cost()
    def track_alloc_free(self, order: int) -> float:
        from stress.measure import entries

        return common.seconds_per_op(lambda nr_ops: entries.alloc_free(self.machine, 0, order, nr_ops), 100_000)

    @common.cost()
    def track_alloc_free_bulk(self, order: int) -> float:
        from stress.measure import entries

        return common.seconds_per_op(lambda nr_ops: entries.alloc_free_bulk(self.machine, 0, order, nr_ops), BULK_BLOCKS)


class TwoCpus:
    timeout = common.BUILD_TIMEOUT_S

    @common.cost()
    def track_alloc_free_disjoint(self) -> float:
        return common.forked("alloc", 2)["ns_per_op"] / 1e9
