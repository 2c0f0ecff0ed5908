"""The scene of a broken invariant: the frame concerned, decoded, and the last events of the flight recorders about it.

The machine is halted, or its workers are parked or gone, so plain reads are right. Nothing here trusts a word: a bug wrote some of them.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from functools import cache
from pathlib import Path
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
    Bug,
    Event,
    Migratetype,
    Offline,
    Udesc,
)
from kernels.base.site import site_number
from stress.checkers import Violation
from stress.machine.segment import describe_lock, read_params
from stress.machine.words import WITH_DESC, WITH_UDESC, desc_text, memdesc_text, name_of, pageblock_text, udesc_text, value_text

EVENTS_SHOWN, CPU_EVENTS_SHOWN, SCENES_SHOWN = 12, 8, 3
_CODE = 2  # of the arguments of bug()
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
def _kernels_by_site() -> dict[int, Callable[..., Any]]:
    return {site_number(f"{kernel.__module__}.{kernel.__name__}"): kernel for kernel in KERNELS}


def site_text(site: int, code: Bug) -> str:
    """The kernel that a record of bug() came from: "kernels/alloc/buddy.py:116 del_page_from_free_list()"; "" if it is unknown.

    The lines are those of its calls of bug() with that code.
    """
    kernel = _kernels_by_site().get(site)
    if kernel is None:
        return ""
    file = Path(kernel.__code__.co_filename)
    tree = ast.parse(textwrap.dedent(inspect.getsource(kernel)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) > _CODE and ast.unparse(node.func) == "bug"]
    lines = [kernel.__code__.co_firstlineno + call.lineno - 1 for call in calls if ast.unparse(call.args[_CODE]) == f"BUG_{code.name}"]
    numbers = ",".join(map(str, lines or [kernel.__code__.co_firstlineno]))
    return f"{kernel.__module__.replace('.', '/')}{file.suffix}:{numbers} {kernel.__name__}()"


def read_bugs(mem: Any, role_names: Sequence[str] = ()) -> list[Violation]:
    """The broken invariants that kernels recorded while they ran, oldest first."""
    arrays = mem.arrays
    return [_recorded(mem, slot, role_names) for slot in range(min(int(arrays["bug_count"][0]), len(arrays["bug_code"])))]


def _recorded(mem: Any, slot: int, role_names: Sequence[str]) -> Violation:
    word = {name: int(mem.arrays[f"bug_{name}"][slot]) for name in ("code", "cpu", "pfn", "seen", "wanted", "site")}
    if word["code"] not in Bug._value2member_map_:
        return Violation("?", f"bug:CODE_{word['code']}", pfn=word["pfn"], message="a record with an unknown code")
    code, cpu, pfn = Bug(word["code"]), word["cpu"], word["pfn"]
    where = site_text(word["site"], code)
    role = int(mem.arrays["cpu_role"][cpu]) if 0 <= cpu < len(mem.arrays["cpu_role"]) else -1
    worker = f"worker {cpu}" + (f" in role {role_names[role]}" if 0 <= role < len(role_names) else "")
    about = code.summary if code is not Bug.LOCK_OWNER else f"{code.summary}: {describe_lock(read_params(mem.arrays), pfn)}"
    return Violation(
        invariant=code.invariant,
        checker=f"bug:{code.name}",
        pfn=pfn,
        cpus=(cpu,) if cpu >= 0 else (),
        words={code.seen: word["seen"], code.wanted: word["wanted"]},
        message=f"{about}; in the act, by {worker}" + (f", in {where}" if where else ""),
        scene=(*(frame_lines(mem, pfn) if code not in (Bug.LOCK_OWNER, Bug.BOUNDS) else ()), *cpu_lines(mem, cpu)),
    )


def with_scenes(mem: Any, violations: Sequence[Violation]) -> list[Violation]:
    """Violations found at rest, with the scene of the first few frames that they name."""
    pfns = list(dict.fromkeys(violation.pfn for violation in violations if violation.pfn >= 0))[:SCENES_SHOWN]
    first = {pfn: next(k for k, violation in enumerate(violations) if violation.pfn == pfn) for pfn in pfns}
    scenes = {k: tuple(frame_lines(mem, pfn)) for pfn, k in first.items()}
    return [replace(violation, scene=scenes.get(k, ())) for k, violation in enumerate(violations)]


def frame_lines(mem: Any, pfn: int) -> list[str]:
    """A frame decoded, a line each: its memdesc word and pageblock, its descriptor, and its last events."""
    arrays = mem.arrays
    if not 0 <= pfn < len(arrays["memdesc"]):
        return []
    word = int(arrays["memdesc"][pfn])
    nid = pfn // max(1, int(arrays["header"][PARAM["frames_per_node"]]))
    place = f"node {nid}, {pageblock_text(arrays, pfn, int(arrays['header'][PARAM['pageblock_order']]))}"
    lines = [f"pfn {pfn}: {memdesc_text(word)} (memdesc {value_text(word)}), {place}"]
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
    return [_event_line(arrays, int(slot), int(arrays["ring_cycles"][found[-1]])) for slot in found]


def cpu_lines(mem: Any, cpu: int) -> list[str]:
    """The last events of a CPU, whatever frame they are about: what it was doing."""
    arrays = mem.arrays
    if not 0 <= cpu < len(arrays["ring_head"]) or arrays["ring_head"][cpu] == 0:
        return []
    head = int(arrays["ring_head"][cpu])
    slots = [cpu * RING_EVENTS + number % RING_EVENTS for number in range(max(0, head - min(CPU_EVENTS_SHOWN, RING_EVENTS)), head)]
    last = int(arrays["ring_cycles"][slots[-1]])
    return [f"last events of cpu {cpu}:", *(f"{_event_line(arrays, slot, last)}, pfn {int(arrays['ring_pfn'][slot])}" for slot in slots)]


def _event_line(arrays: Any, slot: int, last: int) -> str:
    per_us = max(1, int(arrays["header"][PARAM["cycles_per_us"]]))
    event, result = int(arrays["ring_event"][slot]), int(arrays["ring_result"][slot])
    name = name_of(Event, event)
    said = _RESULTS[event](result) if event in _RESULTS else value_text(result)
    before_us = (last - int(arrays["ring_cycles"][slot])) / per_us
    return f"{-before_us:12,.1f} us  cpu {slot // RING_EVENTS:<3}  {name.lower():32} {said}"
