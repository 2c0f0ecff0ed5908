"""A comparison as pictures, one for each question that an axis answers: drawn from what `--json` saves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stress.compare.saved import SavedAxis, SavedComparison
from stress.compare.verdicts import percent
from stress.errors import UserError
from stress.io.drawing import BLUE, GREEN, GREY, ORANGE, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DENSITIES = (8, 64, 512)  # frames in use, of 512
DENSITY_STAGE = "all but copy and flush"
INTERFACES = (("bitmap", BLUE, "o"), ("list", ORANGE, "s"), ("folios", GREEN, "^"))
OFFLINE_LOAD = "offline, 512 of 512"
OFFLINE_STAGES = (("scan + isolate", BLUE), ("unmap", ORANGE))
OFFLINE_COUNTS = ("none", "zero", "counted")
REFERENCES = "get + put, "
WIDTH_INCHES, HEAD_INCHES = 7.2, 0.4


def by_density(panel: "Axes", axis: SavedAxis) -> None:
    """What a migration costs with a bitmap, a list or folios, by how full the window is."""
    ends, highest = [], 1.0
    for value, colour, marker in INTERFACES:
        found = [(density, axis.figure(f"anon, {density} of 512: {DENSITY_STAGE}")) for density in DENSITIES]
        points = [(density, figure.interval(value)) for density, figure in found if figure is not None and value in figure.rounds]
        if not points:
            continue
        places, medians = [density for density, _ in points], [each.median for _, each in points]
        spans = [[each.median - each.low for _, each in points], [each.high - each.median for _, each in points]]
        panel.errorbar(places, medians, yerr=spans, color=colour, marker=marker, markersize=5, linewidth=1.4, capsize=2)
        ends.append((medians[0], value, colour))
        highest = max(highest, *medians)
    panel.set_xscale("log", base=2)
    panel.set_xticks(DENSITIES, [f"{density} of 512" for density in DENSITIES])
    panel.set_xlim(4, 700)
    panel.set_ylim(0, 1.25 * highest)  # a bar of one disturbed round may be cut off
    _label_ends(panel, 7.2, ends)
    panel.set_xlabel("frames of a window that are migrated")
    panel.set_ylabel("ns per frame,\nwithout copy and flush")
    panel.set_title("List against bitmap, by density", loc="left")


def _label_ends(panel: "Axes", at: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names at the left ends of lines, apart from each other."""
    apart, last = 0.09 * panel.get_ylim()[1], -1e9
    for height, name, colour in sorted(ends):
        last = max(height, last + apart)
        panel.text(at, last, name, color=colour, ha="right", va="center", fontweight="bold")


def by_count(panel: "Axes", axis: SavedAxis) -> None:
    """What a count costs an Offline frame: time by stage, atomics and lines."""
    values = [value for value in OFFLINE_COUNTS if all(_offline(axis, value, stage) is not None for stage, _ in OFFLINE_STAGES)]
    whole = axis.figure(f"{OFFLINE_LOAD}: all")
    for row, value in enumerate(values):
        left = 0.0
        for stage, colour in OFFLINE_STAGES:
            width = _offline(axis, value, stage) or 0.0
            panel.barh(row, width, left=left, color=colour, height=0.6, edgecolor="white")
            if row == 0:
                at = left + 0.6 * width if left else 0.0  # apart, although the first bar is short
                panel.text(at, row - 0.36, {"unmap": "replace"}.get(stage, stage), color=colour, fontweight="bold", va="bottom")
            left += width
        said = f"{left:.0f} ns"
        ratio = whole.ratio_to_base.get(value) if whole is not None else None
        if ratio is not None:
            said += f", {ratio.median:.2f} times ({ratio.low:.2f} - {ratio.high:.2f})"
        counted = axis.counts.get(OFFLINE_LOAD, {}).get(value, {})
        if counted:
            atomics, lines = (sum(stage.get(what, 0.0) for stage in counted.values()) for what in ("atomics", "lines"))
            said += f"\n{atomics:.0f} atomics, {lines:.1f} lines"
        panel.text(left + 3, row, said, va="center")
    panel.set_yticks(range(len(values)), [{"none": "no count", "zero": "frozen count"}.get(value, value) for value in values])
    panel.set_ylim(len(values) - 0.5, -0.75)
    panel.set_xlim(0, 1.55 * max([sum(_offline(axis, value, stage) or 0.0 for stage, _ in OFFLINE_STAGES) for value in values], default=1))
    panel.set_xlabel("ns per migrated frame")
    panel.set_title("What a count costs an Offline frame", loc="left")


def _offline(axis: SavedAxis, value: str, stage: str) -> float | None:
    figure = axis.figure(f"{OFFLINE_LOAD}: {stage}")
    return figure.interval(value).median if figure is not None and value in figure.rounds else None


def by_contention(panel: "Axes", axis: SavedAxis) -> None:
    """What a reference costs under each scheme, by who else uses it. Filled: the rounds show which is better."""
    rows = [figure for figure in axis.figures if figure.name.startswith(REFERENCES) and {"cas", "frozen-bit"} <= figure.rounds.keys()]
    most = max((figure.interval(value).high for figure in rows for value in ("cas", "frozen-bit")), default=1.0)
    for row, figure in enumerate(rows):
        ratio = figure.ratio_to_base.get("frozen-bit")
        shown = ratio is not None and ratio.is_shown
        for value, colour, marker, shift in (("cas", BLUE, "o", -0.12), ("frozen-bit", ORANGE, "s", 0.12)):
            each = figure.interval(value)
            span = [[each.median - each.low], [each.high - each.median]]
            fill = colour if shown else "white"
            panel.errorbar(each.median, row + shift, xerr=span, color=colour, marker=marker, markersize=6, markerfacecolor=fill, capsize=2)
            if row == 0:
                panel.text(each.high * 1.12, row + 2.2 * shift, value, color=colour, fontweight="bold", va="center")
        if ratio is not None:
            said = f"{ratio.median:.2f} ({ratio.low:.2f} - {ratio.high:.2f})" + ("" if shown else "\nno difference shown")
            panel.text(most * 1.3, row, said, va="center", color="black" if shown else GREY)
    panel.set_xscale("log")
    panel.set_xlim(right=most * 4.5)
    panel.set_xticks(ticks := [each for each in (2, 5, 10, 20, 50, 100, 200) if each <= most * 1.5], [str(each) for each in ticks])
    panel.minorticks_off()
    panel.set_yticks(range(len(rows)), [figure.name.removeprefix(REFERENCES).replace(", ", ",\n", 1) for figure in rows])
    panel.set_ylim(len(rows) - 0.5, -0.6)
    panel.set_xlabel("ns per get + put, logarithmic; at the right frozen-bit / cas")
    panel.set_title("What the frozen bit saves, by contention", loc="left")


#: axis -> (the picture, its height in inches)
QUESTIONS: dict[str, tuple[Callable[["Axes", SavedAxis], None], float]] = {
    "migration": (by_density, 2.7),
    "offline": (by_count, 2.2),
    "refcount": (by_contention, 2.8),
}


def check_questions(axes: Sequence[str]) -> None:
    """Raise UserError unless one of these axes has a picture."""
    if not any(axis in QUESTIONS for axis in axes):
        raise UserError(f"--plot: nothing to draw of {', '.join(axes) or 'no axis'}; axes that have a picture: {', '.join(QUESTIONS)}")


def plot(comparison: SavedComparison, path: Path) -> None:
    """One small picture a question, below each other, as wide as a page.

    Raises      UserError if there is none, or if the file cannot be written
    """
    check_questions(list(comparison.axes))
    drawn = [(comparison.axes[name], *question) for name, question in QUESTIONS.items() if name in comparison.axes]
    heights = [height for *_, height in drawn]
    size = (WIDTH_INCHES, sum(heights) + HEAD_INCHES)
    with saved(path, len(drawn), 1, size, height_ratios=heights) as (chart, panels):
        for panel, (axis, draw, _) in zip(panels, drawn, strict=True):
            draw(panel, axis)
        ratios = [ratio for axis, *_ in drawn for figure in axis.figures for ratio in figure.ratio_to_base.values()]
        covered = f"; bars are {percent(max(each.coverage for each in ratios))} intervals" if ratios else ""
        chart.suptitle(f"{comparison.where}{covered}", fontsize=8, color=GREY)
