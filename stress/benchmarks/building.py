"""Compilation: CPU time, and the number of kernels."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("building")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Building(common._Timed):
    params = (common.cell_names("building"),)


class Kernels:
    @common.cost("kernels", version="1")
    def track_number(self, results: common.Results) -> float:
        return common.figure(results, "kernels")
