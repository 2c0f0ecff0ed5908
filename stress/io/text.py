"""Values as text for the terminal: sizes, times, aligned tables. What runs, compactions and their live views share."""

from collections.abc import Sequence
from typing import Any

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

#: an entry of a table; None is shown as a dash
Cell = str | int | float | None


def size_text(nr_bytes: int) -> str:
    """A number of bytes in its unit: "256 MiB", "1.5 GiB"."""
    if nr_bytes >= GIB:
        return f"{nr_bytes / GIB:.3g} GiB" if nr_bytes < 100 * GIB else f"{nr_bytes // GIB:,} GiB"
    if nr_bytes >= MIB:
        return f"{nr_bytes / MIB:.3g} MiB"
    return f"{nr_bytes / KIB:.3g} KiB" if nr_bytes >= 10 * KIB else f"{nr_bytes} bytes"


def one_line(text: str) -> str:
    """A text without line breaks, for a message of one line."""
    return " ".join(text.split())


def shortened(text: str, most: int = 60) -> str:
    """A text that a user gave, for a message of one line."""
    return text if len(text) <= most else f"{text[:most]}..."


def time_text(ns: float) -> str:
    """A short duration: "12.3 us", "4.56 ms"."""
    return f"{ns / 1e3:.1f} us" if ns < 1e6 else f"{ns / 1e6:,.2f} ms"


def message_line(text: str, most: int = 1000) -> str:
    """A message as one line. The middle of a long one is left out: what is wrong may be at either end of a text that a user gave."""
    text = one_line(text)
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def clock_text(seconds: float) -> str:
    """A duration: "12.0 s", "3:05:00"."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _cell_text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Aligned lines: the first column to the left, the others to the right."""
    cells = [list(header), *([_cell_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Lines of text whose columns are aligned to the left; the last one is not padded."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    return [indent + "  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in rows]


def section(title: str, lines: Sequence[str]) -> list[str]:
    """An empty line, a title and indented lines; nothing if there are no lines."""
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def buddyinfo_lines(nodes: Sequence[Sequence[int]]) -> list[str]:
    """Free blocks by node and order as /proc/buddyinfo prints them (mm/vmstat.c, frag_show_print)."""
    return [f"Node {nid}, zone {'Normal':>8} " + "".join(f"{count:6d} " for count in counts) for nid, counts in enumerate(nodes)]


def verdict_line(result: dict[str, Any]) -> str:
    """The last line of a report."""
    return f"verdict: {result['verdict']}: {result['reason']}"
