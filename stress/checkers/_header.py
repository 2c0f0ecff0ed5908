"""Whether the header is valid. All arrays are read through the sizes that it gives."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy.typing as npt

from kernels.base.layout import ARRAYS, NR_ORDERS, PARAM, STAMP_VERSION, Geometry


def header_complaints(arrays: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """What is wrong with the header: sizes that are impossible, or differ from those of the arrays."""
    header = arrays.get("header")
    if header is None or len(header) < len(PARAM):
        return ["there is no header"]
    sizes = {each.name: int(header[PARAM[each.name]]) for each in fields(Geometry) if each.name in PARAM}
    sizes["max_trace_pfn"] = len(arrays["ev_pfn"])
    geometry = Geometry(**sizes)
    wrong = [f"{name} is {value}" for name, value in sizes.items() if value < 0 or value > 1 << 40]
    if wrong or 0 in (geometry.table_pages, geometry.nr_nodes, geometry.nr_cpus, geometry.words_per_frame, geometry.file_pages):
        return wrong or ["a size is zero"]
    if geometry.pageblock_order >= NR_ORDERS or geometry.words_per_frame <= STAMP_VERSION + 1:
        return [f"pageblock_order is {geometry.pageblock_order}, words_per_frame is {geometry.words_per_frame}"]
    anon_pages = int(header[PARAM["anon_pages"]])
    if not 0 <= anon_pages <= geometry.task_pages:
        return [f"anon_pages is {anon_pages}, but a task has {geometry.task_pages} pages"]
    return [
        f"{each.name} has {len(arrays[each.name])} records, the header says {spec.length(geometry)}"  # type: ignore[operator]
        for spec in ARRAYS
        for each in spec.fields[:1]
        if len(arrays[each.name]) != spec.length(geometry) and not (each.name == "contents" and len(arrays["contents"]) == 0)  # type: ignore[operator]
    ]
