"""The history as a picture: a small curve for each main benchmark, with its lasting changes marked."""

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stress.errors import UserError
from stress.history.asv_files import BenchmarkCell
from stress.history.overview import LastingChange
from stress.history.series import MeasuredHistory
from stress.history.show import HASH_DIGITS, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
CURVES = 12  # small multiples of one picture
CURVE_SHARE = 0.25  # of the commits, that a curve has at least
WIDTH_INCHES, ROW_INCHES = 9.0, 1.9
LONGEST_TITLE = 48


def main_cells(history: MeasuredHistory, lasting: Sequence[LastingChange]) -> list[BenchmarkCell]:
    """The cells that are drawn: those with the largest changes, at most half of them, then of each group the ones measured most often.

    A cell that few commits have is no curve; it is drawn only if there is no other.
    """
    found = list(dict.fromkeys(each.cell for each in lasting))[: CURVES // 2]
    groups: dict[str, list[BenchmarkCell]] = defaultdict(list)
    judged = history.judged()
    curves = [each for each in judged if len(judged[each].commits) >= CURVE_SHARE * len(history.order)] or list(judged)
    for cell in sorted(curves, key=lambda each: (-len(judged[each].commits), each)):
        if cell not in found:
            groups[cell.group].append(cell)
    while groups and len(found) < CURVES:  # in turn, so that no group fills the picture
        for group in sorted(groups):
            found.append(groups[group].pop(0))
            if not groups[group]:
                del groups[group]
    return sorted(found[:CURVES])


def _draw(panel: "Axes", history: MeasuredHistory, cell: BenchmarkCell, lasting: Sequence[LastingChange]) -> None:
    """One curve: the first run of each commit as a line, repetitions as small points, changes as vertical lines."""
    series = history.cells[cell]
    at = {commit: number for number, commit in enumerate(history.order)}
    panel.plot([at[commit] for commit in series.commits], series.firsts(), "-o", color="#1f5fa8", markersize=2.5, linewidth=1)
    repeated = [(at[commit], value) for commit in series.commits for _, value in series.repetitions(commit)]
    panel.plot([x for x, _ in repeated], [y for _, y in repeated], ".", color="#888888", markersize=2)
    for each in lasting:
        if each.cell == cell:
            panel.axvline(at[each.commit] - 0.5, color="#b03030" if each.change > 0 else "#2c7a3f", linewidth=0.9)
            x, late = at[each.commit] - 0.5, at[each.commit] > len(at) / 2
            label = f" {percent(each.change)} {each.commit[:HASH_DIGITS]} "
            side = "right" if late else "left"
            panel.text(x, 0.05, label, transform=panel.get_xaxis_transform(), fontsize=6, ha=side)
    # from zero, so that the eye sees shares and not noise
    panel.set_ylim(0, 1.15 * max(value for _, value in series.every()) or 1)
    panel.set_xlim(-0.5, len(history.order) - 0.5)
    panel.tick_params(labelsize=6)
    panel.set_title(textwrap.fill(cell.title, LONGEST_TITLE), fontsize=6.5, loc="left")
    panel.set_ylabel(history.unit(cell), fontsize=6)


def plot(history: MeasuredHistory, lasting: Sequence[LastingChange], path: Path) -> None:
    """Draw the main curves.

    Raises      UserError if the file cannot be written
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text
    from matplotlib import pyplot

    cells = main_cells(history, lasting)
    rows = max(1, -(-len(cells) // COLUMNS))
    chart, grid = pyplot.subplots(rows, COLUMNS, figsize=(WIDTH_INCHES, 0.6 + ROW_INCHES * rows), squeeze=False)
    panels = [panel for line in grid for panel in line]
    for panel in panels[len(cells) :]:
        panel.set_axis_off()
    for panel, cell in zip(panels, cells, strict=False):
        _draw(panel, history, cell, lasting)
    span = f"{history.order[0][:HASH_DIGITS]} to {history.order[-1][:HASH_DIGITS]}"
    chart.suptitle(
        f"{history.machine}: {len(history.order)} commits, {span}, by number; lower is better; lines mark lasting changes", fontsize=8
    )
    chart.tight_layout()
    try:
        chart.savefig(path)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error
    finally:
        pyplot.close(chart)
