"""Frames allocated and freed: in turn, in bulk, at random and by another worker than the one that allocated them."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("allocation")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Allocation(common._Timed):
    params = (common.cell_names("allocation"),)


class AllocationContention(common._Contended):
    params = (common.contended_names("allocation"),)
