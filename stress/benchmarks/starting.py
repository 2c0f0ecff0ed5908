"""Import, a warm start to the first operation, workers ready; memory of a worker."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("starting")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Starting(common._Timed):
    params = (common.cell_names("starting"),)


class WorkerMemory:
    params = (["PSS", "USS"],)
    param_names = ("set",)

    @common.cost("bytes", version="1")
    def track_beyond_segment(self, results: common.Results, kind: str) -> float:
        return common.figure(results, kind)
