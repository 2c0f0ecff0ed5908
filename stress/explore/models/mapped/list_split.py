"""range-split with today's migration by lists: a large folio of a file is split on its way out of a pageblock."""

from kernels.migrate.window import MIGRATION_LIST
from stress.explore.model import Model, small_geometry
from stress.explore.models.mapped.range_split import FRAMES, SPARSE, check, prepare, steps

MODEL = Model(
    "list-split",
    "list migration splits a mapped large folio for want of a target while it is unmapped, faulted in and truncated",
    "P7-P9, P18; I10, I14, I16",
    small_geometry(3, frames_per_node=FRAMES),
    prepare,
    steps,
    check,
    params=SPARSE | {"policy_migration": MIGRATION_LIST},
    meetings=("thp_migration_split", "pgmigrate_success", "met_split_refused_by_reference", "pgmajfault"),
)
