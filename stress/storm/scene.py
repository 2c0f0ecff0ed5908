"""The scene of a broken invariant: the frame concerned, decoded, and the last events of the flight recorders about it.

The machine is halted, or its workers are parked or gone, so plain reads are right. Nothing here trusts a word: a bug wrote some of them.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np

from kernels.base.jit import KERNELS
from kernels.base.layout import (
    DESC_SHIFT,
    EV_EXTFRAG,
    EV_FOLIO_SPLIT,
    EV_ISOLATE_FREE,
    EV_OFFLINE_STATE,
    EV_PAGE_ALLOC,
    EV_PAGE_FREE,
    EV_REMOVE_MIGRATION_PTE,
    EV_SET_MIGRATETYPE,
    EV_SET_MIGRATION_PTE,
    EV_UDESC_STATE,
    NR_MIGRATETYPES,
    PARAM,
    RING_EVENTS,
    TYPE_MASK,
    Event,
    Migratetype,
    Offline,
    Udesc,
)
from kernels.base.site import site_number
from stress.machine.words import WITH_DESC, WITH_UDESC, desc_text, memdesc_text, name_of, pageblock_text, udesc_text, value

EVENTS_SHOWN = 12
_BEFORE_SHIFT, _AFTER_MASK = 8, 255  # of an event's result that has a state before and after


def _order(result: int) -> str:
    return f"order {result}"


def _transition(states: type[IntEnum]) -> Callable[[int], str]:
    return lambda result: f"{name_of(states, result >> _BEFORE_SHIFT)} -> {name_of(states, result & _AFTER_MASK)}"


#: what an event's result is, where it is more than a number
_RESULTS: dict[int, Callable[[int], str]] = {
    **dict.fromkeys((EV_PAGE_ALLOC, EV_PAGE_FREE, EV_FOLIO_SPLIT, EV_ISOLATE_FREE), _order),
    EV_OFFLINE_STATE: _transition(Offline),
    EV_UDESC_STATE: _transition(Udesc),
    EV_SET_MIGRATETYPE: lambda result: name_of(Migratetype, result),
    EV_EXTFRAG: lambda result: f"{name_of(Migratetype, result // NR_MIGRATETYPES)} -> {name_of(Migratetype, result % NR_MIGRATETYPES)}",
    EV_SET_MIGRATION_PTE: lambda result: f"task {result}",
    EV_REMOVE_MIGRATION_PTE: lambda result: f"task {result}",
}


@cache
def _kernels_by_site() -> dict[int, str]:
    """Every kernel's number and where it is declared: "kernels/alloc/release.py:53 free_folio()"."""
    found = {}
    for kernel in KERNELS:
        function = getattr(kernel, "py_func", kernel)
        code = function.__code__
        path = "/".join(code.co_filename.split("/")[-(function.__module__.count(".") + 1) :])
        found[site_number(f"{function.__module__}.{function.__name__}")] = f"{path}:{code.co_firstlineno} {function.__name__}()"
    return found


def kernel_at(site: int) -> str:
    """The kernel that a record of bug() came from, with its file and line; "" if it is unknown, as for a bounds check."""
    return _kernels_by_site().get(site, "")


def frame_lines(mem: Any, pfn: int) -> list[str]:
    """A frame decoded, a line each: its memdesc word and pageblock, its descriptor, and its last events."""
    arrays = mem.arrays
    if not 0 <= pfn < len(arrays["memdesc"]):
        return []
    word = int(arrays["memdesc"][pfn])
    nid = pfn // max(1, int(arrays["header"][PARAM["frames_per_node"]]))
    place = f"node {nid}, {pageblock_text(arrays, pfn, int(arrays['header'][PARAM['pageblock_order']]))}"
    lines = [f"pfn {pfn}: {memdesc_text(word)} (memdesc {value(word)}), {place}"]
    if word & TYPE_MASK in WITH_DESC:
        lines.append(desc_text(arrays, word >> DESC_SHIFT))
    elif word & TYPE_MASK in WITH_UDESC:
        lines.append(udesc_text(arrays, word >> DESC_SHIFT))
    return lines + event_lines(mem, pfn)


def event_lines(mem: Any, pfn: int) -> list[str]:
    """The last events of all CPUs' flight recorders about a frame or a block that begins at it, oldest first."""
    arrays = mem.arrays
    heads = arrays["ring_head"]
    slots = np.arange(len(arrays["ring_pfn"]))
    written = slots % RING_EVENTS < heads[slots // RING_EVENTS]
    found = np.flatnonzero(written & (arrays["ring_pfn"] == pfn))
    if not len(found):
        return ["no event about it in the flight recorders"]
    found = found[np.argsort(arrays["ring_cycles"][found], kind="stable")][-EVENTS_SHOWN:]
    last = int(arrays["ring_cycles"][found[-1]])
    per_us = max(1, int(arrays["header"][PARAM["cycles_per_us"]]))
    return [_event_line(arrays, int(slot), last, per_us) for slot in found]


def _event_line(arrays: Any, slot: int, last: int, per_us: int) -> str:
    event, result = int(arrays["ring_event"][slot]), int(arrays["ring_result"][slot])
    name = name_of(Event, event)
    said = _RESULTS[event](result) if event in _RESULTS else value(result)
    before_us = (last - int(arrays["ring_cycles"][slot])) / per_us
    return f"{-before_us:12,.1f} us  cpu {slot // RING_EVENTS:<3}  {name.lower():32} {said}"
