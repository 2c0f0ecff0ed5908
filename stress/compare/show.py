"""A comparison for people: a table of figures, one of exact counts, a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stress.compare.ratio import Figure
from stress.errors import HostError, UserError

_STAGES_SHOWN = ("scan", "isolate", "unmap", "flush", "move", "putback")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _lined_up(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they must be: the first to the left, the others to the right, and the last as it is."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        middle = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip())
    return lines


def table(figures: Sequence[Figure], base: str) -> list[str]:
    """Medians of each value, and the ratio of each to `base` with its 95 % interval; figures of the same values stand together."""
    lines: list[str] = []
    for values in dict.fromkeys(tuple(figure.rounds) for figure in figures):
        others = [value for value in values if value != base]
        rows = [["", *values, "unit", *(f"{other} / {base}, 95 %" for other in others), "shown"]]
        for figure in figures:
            if tuple(figure.rounds) != values:
                continue
            medians = [_number(sorted(figure.rounds[value])[len(figure.rounds[value]) // 2]) for value in values]
            ratios = []
            for other in others:
                ratio = figure.ratio(other, base)
                ratios.append(f"{ratio.median:.3f} ({ratio.low:.3f} - {ratio.high:.3f})" if ratio else "-")
            rows.append([figure.name, *medians, figure.unit, *ratios, "; ".join(figure.shown(other, base) for other in others)])
        lines += [*_lined_up(rows), ""]
    return lines


def counts_table(counts: dict[str, dict[str, dict[str, dict[str, float]]]]) -> list[str]:
    """Exact counts per migrated frame: atomics, and distinct lines, of each stage."""
    lines = []
    for what, title in (
        ("atomics", "atomics per migrated frame, exactly"),
        ("lines", "distinct cache lines of metadata per migrated frame"),
    ):
        rows = [[title, *_STAGES_SHOWN, "all", ""]]
        for load, by_value in counts.items():
            for value, stages in by_value.items():
                each = [stages[stage][what] for stage in _STAGES_SHOWN]
                rows.append([f"{load}: {value}", *(_number(number) for number in each), _number(sum(each)), ""])
        lines += [*_lined_up(rows), ""]
    return lines


def beside_lines(beside: dict[str, Any]) -> list[str]:
    """What the whole migration of a 4 KiB folio is to be seen beside."""
    copy = beside["plain_copy_ns"]
    plain = f"{copy['median']:,.0f} ns ({copy['low']:,.0f} - {copy['high']:,.0f})" if copy else f"left out: {beside['left_out']}"
    rows = [
        ("beside the whole migration of an anonymous folio of 4,096 bytes, above", ""),
        ("  a plain copy of 4,096 bytes in C, at random over 1 GiB", plain),
        ("  the kernel, a whole migration, as recorded on Linux 6.18", f"{beside['kernel_ns_per_frame']:,} ns"),
        ("  ipi_ns, what a shootdown costs beside, above", f"{beside['ipi_ns']} ns"),
    ]
    return [*_lined_up(rows), ""]


def check_plot(path: Path) -> None:
    """Raise now what plot() would raise after minutes of measuring."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise UserError(f"{path}: a plot is an .svg, .png or .pdf file")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    try:
        import matplotlib  # noqa: F401  # optional: the extra `plot`
    except ImportError as error:
        raise HostError("--plot needs matplotlib: pip install 'pfnstorm[plot]'") from error


def plot(parts: Sequence[tuple[Sequence[Figure], str]], path: Path) -> None:
    """Each ratio with its interval, in one picture; the line is no difference.

    Parameters  parts: the figures of an axis, and the value that is their base
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: a tenth of the size
    from matplotlib import pyplot

    points: list[tuple[str, Any]] = []
    for figures, base in parts:
        for figure in figures:
            for value in figure.rounds:
                ratio = figure.ratio(value, base) if value != base else None
                if ratio is not None and ratio.low > 0:
                    points.append((f"{figure.name}: {value} / {base}", ratio))
    chart, axes = pyplot.subplots(figsize=(10, 1 + 0.24 * len(points)))
    for row, (_, ratio) in enumerate(points):
        axes.errorbar(ratio.median, -row, xerr=[[ratio.median - ratio.low], [ratio.high - ratio.median]], fmt="o", color="black", capsize=2)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_yticks([-row for row in range(len(points))], [name for name, _ in points], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("ratio, median and 95 % interval")
    chart.tight_layout()
    try:
        chart.savefig(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error
    finally:
        pyplot.close(chart)
