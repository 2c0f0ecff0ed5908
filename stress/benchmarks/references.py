"""Getting and putting a reference: one descriptor, many, and one that several workers share."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("references")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class References(common._Timed):
    params = (common.cell_names("references"),)


class ReferencesContention(common._Contended):
    params = (common.contended_names("references"),)
