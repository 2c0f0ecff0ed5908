"""range-type-change under the other policies: migration by lists, and counts that freeze by a bit."""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from kernels.migrate.window import MIGRATION_LIST
from stress.explore.model import Model, small_geometry
from stress.explore.models.mapped.range_type_change import check, prepare, steps

MODEL = Model(
    "list-type-change",
    "list migration against frames that change from folio to Offline and back",
    "P1, P2, P9; F-1, I7, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"window_frames": 64, "policy_migration": MIGRATION_LIST, "policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("balloon_migrate", "met_isolation_raced_free", "met_deflate_on_isolated", "cause_compaction_state"),
)
