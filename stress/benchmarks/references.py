"""folio_try_get() + folio_put() without freeing: one descriptor, many descriptors, and one that two CPUs share."""

from . import common


class References:
    timeout = common.BUILD_TIMEOUT_S

    def setup(self) -> None:
        from stress.measure import machines

        self.machine = machines.reference_machine()

    @common.cost()
    def track_try_get_put_hot(self) -> float:
        from stress.measure import entries

        return common.seconds_per_op(lambda nr_ops: entries.pair_hot(self.machine, 0, 8, nr_ops), 200_000)

    @common.cost()
    def track_try_get_put_random(self) -> float:
        from stress.measure import entries

        return common.seconds_per_op(lambda nr_ops: entries.pair_random(self.machine, 0, 0, nr_ops), entries.NR_RANDOM)


class Contention:
    params = ([2],)
    param_names = ("workers",)
    timeout = common.BUILD_TIMEOUT_S

    @common.cost()
    def track_try_get_put_same(self, workers: int) -> float:
        return common.forked("contended", workers)["ns_per_op"] / 1e9

    @common.cost("retries/op")
    def track_try_get_put_same_retries(self, workers: int) -> float:
        return common.forked("contended", workers)["retries_per_op"]

    @common.cost()
    def track_try_get_put_disjoint(self, workers: int) -> float:
        return common.forked("hot", workers)["ns_per_op"] / 1e9
