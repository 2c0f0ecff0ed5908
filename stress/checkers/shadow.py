"""The shadow owner words of `--check full` agree with where the frames are. If all of them are zero, they were not kept.

Checks      I2 (docs/invariants.md)
Linux       check_new_pages(), page_expected_state(), mm/page_alloc.c, have the same aim
"""

import numpy as np

from kernels.base.layout import NR_ORDERS, SH_BUDDY, SH_CAPTURED, SH_OWNED, SH_PCP
from stress.checkers._report import Report, checking
from stress.checkers._view import View, order_size


def _check(view: View, report: Report) -> None:
    shadow = view.wide("shadow")
    if not view.param("shadow_on") or not shadow.any():
        return
    place = np.full(view.nr_frames, SH_OWNED, np.int64)
    place[view.coverage(view.free_heads, order_size(view.free_orders)) > 0] = SH_BUDDY
    place[view.coverage(view.pcp.value, order_size(view.pcp_order)) > 0] = SH_PCP
    place[view.coverage(view.captured.value, order_size(view.captured.owner % NR_ORDERS)) > 0] = SH_CAPTURED
    wrong = np.flatnonzero(shadow != place)
    report.add(
        "shadow word differs from the frame's place", pfn=wrong, word=view.wide("memdesc")[wrong], shadow=shadow[wrong], place=place[wrong]
    )


CHECKER = checking("shadow", ("I2",), "the shadow owner words of --check full agree with where the frames are", _check)
