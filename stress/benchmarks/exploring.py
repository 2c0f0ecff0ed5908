"""The explorer: one schedule, by memory model and strategy."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("exploring")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Exploring(common._Timed):
    params = (common.cell_names("exploring"),)
