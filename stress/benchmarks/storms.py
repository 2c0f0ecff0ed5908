"""Storms: roles, and what they say of contention and migration."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("storms")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Storms(common._Timed):
    params = (common.cell_names("storms"),)


class StormShares:
    params = (
        [
            *(f"lock waiting, {name}" for name in ("zone", "pcp", "lru", "ptl", "i_pages", "folio", "lru_batch")),
            *(f"migration failures per frame, {name}" for name in ("compaction", "numa_misplaced", "contig_range")),
            "order-9 failures",
            "shootdown waits per flush",
            "compare-exchange failures per operation",
        ],
    )
    param_names = ("figure",)

    @common.cost("share", version="1")
    def track_share(self, results: common.Results, figure: str) -> float:
        return common.figure(results, figure)
