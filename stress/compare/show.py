"""A comparison in text: tables of figures with what they show, a table of exact counts."""

from collections.abc import Sequence
from typing import Any

from stress.compare.verdicts import RowGroup, percent
from stress.measure.ratio import coverage

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


def table(group: RowGroup) -> list[str]:
    """Medians, ratios to the base with their intervals, what they show, and notes. Figures with the same values share a table."""
    base, shown, contradictions = group.base, group.verdicts(), group.contradictions()
    covered = percent(coverage(group.nr_rounds))
    lines: list[str] = []
    for values in dict.fromkeys(tuple(figure.rounds) for figure in group.figures):
        others = [value for value in values if value != base]
        rows = [[group.title, *values, "unit", "better", *(f"{other} / {base}, {covered}" for other in others), "shown"]]
        for figure in group.figures:
            if tuple(figure.rounds) != values:
                continue
            medians = [_number(figure.median(value)) for value in values]
            ratios = []
            for other in others:
                ratio, mark = figure.ratio(other, base), " *" if (figure.name, other) in contradictions else ""
                ratios.append(f"{ratio.median:.3f} ({ratio.low:.3f} - {ratio.high:.3f}){mark}" if ratio else "-")
            better = "more" if figure.more_is_better else "less"
            verdicts = [shown[figure.name, other] for other in others]
            said = verdicts[:1] if len(set(verdicts)) == 1 else verdicts
            rows.append([figure.name, *medians, figure.unit, better, *ratios, "; ".join(said)])
        lines += [*_lined_up(rows), ""]
    return [*lines[:-1], *group.notes(), ""]


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
        ("  a plain copy of 4,096 bytes in C, at random over 256 MiB", plain),
        ("  the kernel, a whole migration, recorded on Linux 6.18", f"{beside['kernel_ns_per_frame']:,} ns"),
        ("  ipi_ns, the modelled cost of a shootdown, in the figures above", f"{beside['ipi_ns']} ns"),
    ]
    return [*_lined_up(rows), ""]
