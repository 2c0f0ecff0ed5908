"""Offline words changed only by the transitions of their protocol, as far back as the flight recorders reach.

Checks      F-1 (docs/invariants.md)
Linux       no statement: frames without a refcount are a proposal (docs/protocols.md, P1)
"""

import numpy as np

from kernels.base.layout import (
    EV_OFFLINE_STATE,
    OFF_DEFLATING,
    OFF_INFLATED,
    OFF_ISOLATED,
    OFF_PRIVATE,
    OFF_RELEASED,
    OFF_TRANSIT,
    RING_EVENTS,
)
from stress.checkers._report import Report, checking
from stress.checkers._view import View

#: from -> to: publish; isolate; deflate; release what is isolated; put back; migrate
ALLOWED = (
    (OFF_PRIVATE, OFF_INFLATED),
    (OFF_INFLATED, OFF_ISOLATED),
    (OFF_INFLATED, OFF_DEFLATING),
    (OFF_ISOLATED, OFF_RELEASED),
    (OFF_ISOLATED, OFF_INFLATED),
    (OFF_ISOLATED, OFF_TRANSIT),
)
_BEFORE_SHIFT, _AFTER_MASK = 8, 255  # of an event's result


def _check(view: View, report: Report) -> None:
    events = np.flatnonzero(view["ring_event"] == EV_OFFLINE_STATE)
    result = view.at("ring_result", events)
    allowed = np.array([before << _BEFORE_SHIFT | after for before, after in ALLOWED])
    wrong = events[~np.isin(result, allowed)]
    report.add(
        "Offline word changed by a transition that its protocol does not allow",
        pfn=view.at("ring_pfn", wrong),
        cpus=wrong // RING_EVENTS,
        before=view.at("ring_result", wrong) >> _BEFORE_SHIFT,
        after=view.at("ring_result", wrong) & _AFTER_MASK,
    )


CHECKER = checking("offline_transitions", ("F-1",), "Offline words change only by the transitions that their protocol allows", _check)
