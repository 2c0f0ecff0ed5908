"""folio_try_get() + folio_put() without the freeing: one descriptor, many, and one that two CPUs want."""

from . import common


class References:
    timeout = common.BUILD_TIMEOUT_S

    def setup(self):
        from stress.benchmarks import machines

        self.machine = machines.reference_machine()

    def track_try_get_put_hot(self):
        from stress.benchmarks import entries

        return common.seconds_per_op(lambda nr_ops: entries.pair_hot(self.machine, 0, 8, nr_ops), 200_000)

    def track_try_get_put_random(self):
        from stress.benchmarks import entries

        return common.seconds_per_op(lambda nr_ops: entries.pair_random(self.machine, 0, 0, nr_ops), entries.NR_RANDOM)

    track_try_get_put_hot.unit = track_try_get_put_random.unit = "seconds"
    track_try_get_put_hot.version = track_try_get_put_random.version = "1"


class Contention:
    params = ([2],)
    param_names = ("workers",)
    timeout = common.BUILD_TIMEOUT_S

    def track_try_get_put_same(self, workers):
        return common.forked("contended", workers)["ns_per_op"] / 1e9

    def track_try_get_put_same_retries(self, workers):
        return common.forked("contended", workers)["retries_per_op"]

    def track_try_get_put_disjoint(self, workers):
        return common.forked("hot", workers)["ns_per_op"] / 1e9

    track_try_get_put_same.unit = track_try_get_put_disjoint.unit = "seconds"
    track_try_get_put_same_retries.unit = "retries/op"
    track_try_get_put_same.version = track_try_get_put_same_retries.version = track_try_get_put_disjoint.version = "1"
