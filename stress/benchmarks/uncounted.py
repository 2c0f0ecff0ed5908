"""Balloons, zsmalloc, hugetlb, memory blocks, contiguous ranges."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("uncounted")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Uncounted(common._Timed):
    params = (common.cell_names("uncounted"),)
