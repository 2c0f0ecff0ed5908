"""Migration: one folio, folios by callbacks, a range by density and type."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("migration")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Migration(common._Timed):
    params = (common.cell_names("migration"),)
