"""A comparison and a whole history as text."""

import math
from collections.abc import Sequence

from stress.history.judge import ALPHA, HIDDEN, MOST_PAIRS, CellVerdict, Comparison, Relevance, Shown
from stress.history.overview import LastingChange
from stress.history.series import LARGEST, MeasuredHistory
from stress.io.text import Cell, columns, section, shortened, table, time_text

HASH_DIGITS, SUBJECT_CHARACTERS = 8, 60
MOST_ROWS = 40  # of one table; --json has them all


def percent(changed: float) -> str:
    """A logarithm of a ratio as a signed share: "+21.3 %"."""
    if abs(changed) >= LARGEST:
        return "10 x or more" if changed > 0 else "1/10 or less"
    return f"{100 * math.expm1(changed):+.1f} %"


def value_text(value: float, unit: str) -> str:
    """A value in its unit; a calibrated ratio has none."""
    if unit == "seconds":
        return f"{1e9 * value:.3g} ns" if value < 1e-6 else time_text(1e9 * value)
    return f"{value:.4g}" if unit in ("", "calibrations") else f"{value:.4g} {unit}"


def commit_text(commit: str, subjects: dict[str, str]) -> str:
    """The first digits of a commit, and what its message says."""
    return f"{commit[:HASH_DIGITS]} {shortened(subjects.get(commit, ''), SUBJECT_CHARACTERS)}".rstrip()


def _rows(history: MeasuredHistory, found: Sequence[CellVerdict]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for each in found[:MOST_ROWS]:
        unit = history.unit(each.cell)
        noise = f"{100 * math.expm1(each.noise.threshold):.1f} %"
        sure = "-" if each.p is None else f"{each.p:.1g}"
        values = (value_text(each.before, unit), value_text(each.after, unit))
        rows.append([f"{each.cell.group}  {each.cell.title}", percent(each.change), *values, noise, len(each.pairs), sure, each.size.text])
    return rows


def _cells(history: MeasuredHistory, title: str, found: Sequence[CellVerdict]) -> list[str]:
    if not found:
        return []
    header = ("group  benchmark", "change", "before", "after", "threshold", "pairs", "p", "size")
    more = [f"and {len(found) - MOST_ROWS} more: --json has them all"] if len(found) > MOST_ROWS else []
    return section(title, [*table(header, _rows(history, found)), *more])


def comparison_lines(history: MeasuredHistory, comparison: Comparison, subjects: dict[str, str]) -> list[str]:
    """What became slower or faster between two commits, how sure that is, and what could not be seen."""
    older, newer = comparison.pair
    repeated = f", {history.nr_repetitions} repeated runs" if history.nr_repetitions else ""
    pooled = sum(each.noise.pooled for each in comparison.verdicts)
    lines = [
        f"history of {history.machine}: {len(history.order)} commits measured{repeated}",
        f"  from {commit_text(older, subjects)}",
        f"  to   {commit_text(newer, subjects)}",
        f"  {len(comparison.verdicts)} cells judged" + (f", {pooled} with noise of others, for want of runs" if pooled else ""),
    ]
    lines += _cells(history, "slower, confirmed", comparison.shown(Shown.CONFIRMED, slower=True))
    lines += _cells(history, "faster, confirmed", comparison.shown(Shown.CONFIRMED, slower=False))
    lines += _cells(
        history, "unconfirmed: one run may be a spike; `pfnstorm history --confirm` repeats these", comparison.shown(Shown.SUSPECTED)
    )
    lines += _cells(history, "not repeated: a spike, and no change", comparison.shown(Shown.SPIKE))
    return lines + _hidden_lines(comparison) + _missing_lines(comparison)


def _hidden_lines(comparison: Comparison) -> list[str]:
    found = comparison.hidden()
    if not found:
        return []
    rows = [[f"{each.cell.group}  {each.cell.title}", f"from {percent(each.visible)}"] for each in found[:MOST_ROWS]]
    more = [f"and {len(found) - MOST_ROWS} more: --json has them all"] if len(found) > MOST_ROWS else []
    return section(f"hidden by noise: {percent(HIDDEN)} could not be confirmed with {MOST_PAIRS} repetitions, but", [*columns(rows), *more])


def _missing_lines(comparison: Comparison) -> list[str]:
    if not comparison.missing:
        return []
    versions = comparison.another_version
    changed = f"; {len(versions)} benchmarks have another version: {shortened(', '.join(versions), 200)}" if versions else ""
    return ["", f"not compared: {len(comparison.missing)} cells that only one of both commits has{changed}"]


def lasting_lines(found: Sequence[LastingChange], subjects: dict[str, str], nr_commits: int) -> list[str]:
    """The lasting changes of a whole history."""
    if not found:
        return ["", f"no lasting change in {nr_commits} commits"]
    rows: list[list[Cell]] = [
        [commit_text(each.commit, subjects), f"{each.cell.group}  {each.cell.title}", percent(each.change), f"{each.p:.1g}", each.size.text]
        for each in found[:MOST_ROWS]
    ]
    more = [f"and {len(found) - MOST_ROWS} more: --json has them all"] if len(found) > MOST_ROWS else []
    header = ("first measured with it", "group  benchmark", "change", "p", "size")
    return section(f"lasting changes in {nr_commits} commits", [*table(header, rows), *more])


def _counted(found: Sequence[CellVerdict], what: str, relevance: Relevance) -> str:
    number = f"1 {what}" if len(found) == 1 else f"{len(found) or 'no'} {what}{'es' if what == 'loss' else 's'}"
    return f"{number} ({relevance.name.lower()} relevance)" if found else number


def verdict_word(comparison: Comparison) -> str:
    """The whole comparison in a word or two. Changes of low relevance do not count."""
    losses, gains = comparison.is_loss, comparison.relevance(slower=False) >= Relevance.MEDIUM
    if losses or gains:
        return "mixed" if losses and gains else "slower" if losses else "faster"
    return "undecided" if comparison.shown(Shown.SUSPECTED) else "no relevant change"


def verdict_text(comparison: Comparison) -> str:
    """The last line: the whole comparison."""
    slower, faster = (comparison.shown(Shown.CONFIRMED, slower=each) for each in (True, False))
    losses = _counted(slower, "loss", comparison.relevance(slower=True))
    gains = _counted(faster, "gain", comparison.relevance(slower=False))
    parts = [f"{losses} and {gains} confirmed at a false discovery rate of {ALPHA:g}"]
    if suspected := comparison.shown(Shown.SUSPECTED):
        parts.append(f"{len(suspected)} unconfirmed")
    if comparison.hidden():
        parts.append(f"{len(comparison.hidden())} of {len(comparison.verdicts)} cells hide {percent(HIDDEN)}")
    return f"verdict: {verdict_word(comparison)}: {', '.join(parts)}"
