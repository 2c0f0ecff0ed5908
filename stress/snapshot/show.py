"""The report of a compaction as text, from the dict that --json writes."""

from collections.abc import Sequence
from typing import Any

from kernels.base.layout import NUMBERS
from stress.io.text import Cell, buddyinfo_lines, section, size_text, table, verdict_line
from stress.snapshot.compare import TOLERANCE

SHOWN_VIOLATIONS = 10


def render(result: dict[str, Any]) -> str:
    """The whole report."""
    recording, config = result["recording"], result["config"]
    usual = {name: str(default) for name, (*_, default) in NUMBERS.items()}
    policies = ", ".join(f"{name}={value}" for name, value in config["policies"].items() if value != usual.get(name))
    kernel = f", Linux {recording['kernel']}" if recording["kernel"] else ""
    zone = f"zone Normal from pfn {recording['first_pfn']}: {recording['frames']:,} frames, {recording['pageblocks']:,} pageblocks"
    contents = f"{size_text(config['segment_bytes'])}, {config['frame_bytes']} bytes of contents a frame"
    lines = [
        f"pfnstorm compact: {recording['path']}, {zone}{kernel}",
        f"modelled in {contents}, check {config['check']}, flavour {config['flavour']}, {policies}, page tables {config['page_tables']}",
        *[f"note: {note}" for note in result["notes"]],
        *section("what the frames are", _classes(result["classes"])),
        *section("buddyinfo before", _buddyinfo(result["buddyinfo_before"])),
    ]
    if result["figures"]:
        lines += [
            *section("buddyinfo after", _buddyinfo(result["buddyinfo_after"])),
            *section("the model beside the kernel", _figures(result["figures"])),
            *section("where frames went", _went(result["went"])),
        ]
    violations = [f"{each['invariant']} by {each['checker']}: pfn {each['pfn']}: {each['message']}" for each in result["violations"]]
    lines += section("violations", violations[:SHOWN_VIOLATIONS])
    return "\n".join(line.rstrip() for line in [*lines, "", verdict_line(result)])


def _classes(rows: Sequence[dict[str, Any]]) -> list[str]:
    cells: list[Sequence[Cell]] = [(row["name"], row["flags"], row["settled"], row["becomes"]) for row in rows]
    return table(("class", "by flags", "settled", "becomes"), cells)


def _buddyinfo(blocks: dict[str, list[int] | None]) -> list[str]:
    return [f"{source:<6} {buddyinfo_lines([counts])[0]}" for source, counts in blocks.items() if counts is not None]


def _figures(figures: dict[str, dict[str, Any]]) -> list[str]:
    rows: list[Sequence[Cell]] = []
    for name, row in figures.items():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
        judged = {True: f"within {TOLERANCE:.0%}", False: f"OUTSIDE {TOLERANCE:.0%}", None: ""}[row["within"]]
        rows.append((name, _rounded(row["model"]), _rounded(row["kernel"]), ratio, judged))
    return table(("figure", "model", "kernel", "ratio", ""), rows)


def _rounded(value: float | None) -> Cell:
    return None if value is None else round(value)


def _went(rows: Sequence[dict[str, Any]]) -> list[str]:
    columns = ("left_model", "left_kernel", "came_model", "came_kernel")
    cells: list[Sequence[Cell]] = [(f"pfn {row['first_pfn']}", *(row[name] for name in columns)) for row in rows]
    return table(("from", "left: model", "kernel", "came: model", "kernel"), cells)
