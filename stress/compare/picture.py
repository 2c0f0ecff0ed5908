"""A comparison as a picture: every ratio with its interval, and the side on which the value is better than the base."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stress.compare.verdicts import RowGroup
from stress.errors import UserError
from stress.measure.ratio import Figure, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 2  # panels side by side


def _drawn(figure: Figure, base: str) -> dict[str, Interval]:
    """The ratios of a figure that a logarithmic axis can show."""
    ratios = {value: figure.ratio(value, base) for value in figure.rounds if value != base}
    return {value: ratio for value, ratio in ratios.items() if ratio is not None and ratio.low > 0}


def _rows(groups: Sequence[RowGroup]) -> list[tuple[RowGroup, Figure]]:
    return [(group, figure) for group in groups for figure in group.figures if _drawn(figure, group.base)]


def _draw(panel: "Axes", axis: str, groups: Sequence[RowGroup]) -> None:
    """One panel: a row for each figure, a colour for each value but the base; filled where the rounds show which is better."""
    rows, base = _rows(groups), groups[0].base
    better = {key for group in groups for key, shown in group.verdicts().items() if shown.endswith(" better")}
    values = list(dict.fromkeys(value for _, figure in rows for value in _drawn(figure, base)))
    for number, value in enumerate(values):
        points = [(row, figure.name, _drawn(figure, base).get(value)) for row, (_, figure) in enumerate(rows)]
        found = [(row + 0.2 * (number - (len(values) - 1) / 2), name, ratio) for row, name, ratio in points if ratio is not None]
        medians, heights = [ratio.median for *_, ratio in found], [at for at, *_ in found]
        spans = [[ratio.median - ratio.low for *_, ratio in found], [ratio.high - ratio.median for *_, ratio in found]]
        bars = panel.errorbar(
            medians, heights, xerr=spans, fmt="o", markersize=3, markerfacecolor="white", linewidth=1, label=f"{value} / {base}"
        )
        filled = [(ratio.median, at) for at, name, ratio in found if (name, value) in better]
        panel.plot([at for at, _ in filled], [at for _, at in filled], "o", markersize=3, color=bars[0].get_color())
    panel.axvline(1, color="grey", linewidth=0.8)
    panel.set_xscale("log")
    left, right = panel.get_xlim()
    for row, (_, figure) in enumerate(rows):
        side = right if figure.more_is_better else left
        label = f"better than {base}" if row == 0 else None
        panel.fill_betweenx([row - 0.5, row + 0.5], 1, side, color="green", alpha=0.08, linewidth=0, label=label)
    panel.set_xlim(left, right)
    panel.set_yticks(range(len(rows)), [f"{figure.name} [{figure.unit or 'no unit'}]" for _, figure in rows], fontsize=7)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_ylabel("what is measured [unit]", fontsize=8)
    panel.set_xlabel(f"ratio to {base}, no unit, logarithmic: the median of the rounds' ratios", fontsize=8)
    panel.grid(axis="y", linewidth=0.3)
    panel.set_title("\n".join([axis, *(f"{group.title}: {group.coverage_text()}" for group in groups)]), fontsize=9)
    if values:
        panel.legend(fontsize=7)


def plot(parts: Sequence[tuple[str, Sequence[RowGroup]]], host: str, path: Path) -> None:
    """One panel for each axis.

    Parameters  parts: axes and their figures; host: where they were measured
    Raises      UserError if the file cannot be written
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: a tenth of the size
    from matplotlib import pyplot

    nr_rows = [len(_rows(groups)) for _, groups in parts]
    heights = [max(nr_rows[k : k + COLUMNS]) for k in range(0, len(nr_rows), COLUMNS)]
    columns = min(COLUMNS, len(parts))
    size = (9 * columns, 0.8 + sum(1.8 + 0.2 * height for height in heights))
    chart, grid = pyplot.subplots(len(heights), columns, figsize=size, squeeze=False, height_ratios=[9 + height for height in heights])
    panels = [panel for line in grid for panel in line]
    for panel in panels[len(parts) :]:
        panel.set_axis_off()
    for panel, (axis, groups) in zip(panels, parts, strict=False):
        _draw(panel, axis, groups)
    chart.suptitle(f"{host}\nfilled: the rounds show which is better; hollow: no conclusion", fontsize=9)
    chart.tight_layout()
    try:
        chart.savefig(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error
    finally:
        pyplot.close(chart)
