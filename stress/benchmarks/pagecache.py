"""The page cache: hits, read-in, truncation."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("pagecache")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class PageCache(common._Timed):
    params = (common.cell_names("pagecache"),)
