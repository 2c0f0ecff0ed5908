"""Memory of tasks: faults, accesses, unmapping, fork and copy on write, shootdowns."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("memory")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Memory(common._Timed):
    params = (common.cell_names("memory"),)


class MemoryContention(common._Contended):
    params = (common.contended_names("memory"),)
