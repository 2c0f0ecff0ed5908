"""A comparison in text and pictures: a table of figures, a table of exact counts, a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stress.errors import HostError, UserError
from stress.measure.ratio import Figure, Interval

COLUMNS = 2  # panels of a plot side by side
_STAGES_SHOWN = ("scan", "isolate", "unmap", "flush", "move", "putback")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _lined_up(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns: the first to the left, the others to the right, the last as it is."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        middle = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip())
    return lines


def table(figures: Sequence[Figure], base: str) -> list[str]:
    """Medians of each value, and the ratio of each to `base` with its 95 % interval. Figures with the same values share a table."""
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
    """The figures to compare the whole migration of a 4 KiB folio with."""
    copy = beside["plain_copy_ns"]
    plain = f"{copy['median']:,.0f} ns ({copy['low']:,.0f} - {copy['high']:,.0f})" if copy else f"left out: {beside['left_out']}"
    rows = [
        ("to compare with the whole migration of an anonymous folio of 4,096 bytes, above", ""),
        ("  a plain copy of 4,096 bytes in C, at random over 1 GiB", plain),
        ("  the kernel, a whole migration, recorded on Linux 6.18", f"{beside['kernel_ns_per_frame']:,} ns"),
        ("  ipi_ns, the modelled cost of a shootdown, in the figures above", f"{beside['ipi_ns']} ns"),
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


def _drawn(figure: Figure, base: str) -> dict[str, Interval]:
    """The ratios of a figure that a logarithmic axis can show."""
    ratios = {value: figure.ratio(value, base) for value in figure.rounds if value != base}
    return {value: ratio for value, ratio in ratios.items() if ratio is not None and ratio.low > 0}


def plot(parts: Sequence[tuple[str, Sequence[Figure], str]], path: Path) -> None:
    """One panel for each axis: a row for each figure, a colour for each value but the base, its ratio to the base with its interval.

    Parameters  parts: axes, their figures, and their base values
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: a tenth of the size
    from matplotlib import pyplot

    rows = [[figure for figure in figures if any(_drawn(figure, base).values())] for _, figures, base in parts]
    heights = [max(len(each) for each in rows[k : k + COLUMNS]) for k in range(0, len(rows), COLUMNS)]
    columns = min(COLUMNS, len(parts))
    size = (9 * columns, sum(1.2 + 0.2 * height for height in heights))
    chart, grid = pyplot.subplots(len(heights), columns, figsize=size, squeeze=False, height_ratios=[6 + height for height in heights])
    panels = [panel for line in grid for panel in line]
    for panel in panels[len(parts) :]:
        panel.set_axis_off()
    for panel, shown, (axis, _, base) in zip(panels, rows, parts, strict=False):
        values = list(dict.fromkeys(value for figure in shown for value in _drawn(figure, base)))
        for number, value in enumerate(values):
            points = [(row, _drawn(figure, base).get(value)) for row, figure in enumerate(shown)]
            found = [(row + 0.2 * (number - (len(values) - 1) / 2), ratio) for row, ratio in points if ratio is not None]
            medians = [ratio.median for _, ratio in found]
            spans = [[ratio.median - ratio.low for _, ratio in found], [ratio.high - ratio.median for _, ratio in found]]
            panel.errorbar(medians, [at for at, _ in found], xerr=spans, fmt="o", markersize=3, linewidth=1, label=f"{value} / {base}")
        panel.axvline(1, color="grey", linewidth=0.8)
        panel.set_yticks(range(len(shown)), [figure.name for figure in shown], fontsize=7)
        panel.set_ylim(len(shown) - 0.4, -0.6)
        panel.grid(axis="y", linewidth=0.3)
        panel.set_xscale("log")
        panel.set_title(f"{axis}: ratio, median and 95 % interval", fontsize=9)
        if values:
            panel.legend(fontsize=7)
    chart.tight_layout()
    try:
        chart.savefig(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error
    finally:
        pyplot.close(chart)
