"""Compaction of the recorded zone."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("compaction")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Compaction(common._Timed):
    params = (common.cell_names("compaction"),)
