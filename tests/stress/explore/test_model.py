"""A model that no engine could run is refused where it is written down."""

import pytest

from kernels.base.points import MAX_TASKS
from stress.explore.model import Model, small_geometry


@pytest.mark.parametrize(
    ("nr_cpus", "more", "said"),
    [
        (MAX_TASKS + 1, {}, f"{MAX_TASKS + 1} CPUs; 1 to {MAX_TASKS} are possible"),
        (0, {}, "0 CPUs"),
        (2, {"params": {"pcp_hihg": 1}}, "no parameter pcp_hihg"),
        (2, {"meetings": ("spec_nosuch",)}, "no counter spec_nosuch"),
    ],
)
def test_what_no_engine_could_run_is_refused(nr_cpus, more, said):
    with pytest.raises(ValueError, match=said):
        Model("wrong", "", "", small_geometry(nr_cpus), print, print, print, **more)
