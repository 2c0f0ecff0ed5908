"""The live view of a storm: a table that is redrawn on a terminal, plain lines elsewhere.

The supervisor's loop draws it. There is no refresh thread, since the supervisor must stay single-threaded.
"""

import sys
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stress.io.output import LiveLine, redraws
from stress.io.text import clock_text, size_text
from stress.storm.outcome import Totals


def plain_interval_s(elapsed_s: float) -> float:
    """Seconds between two plain lines: the log of a day-long run must not fill a disk."""
    return 1.0 if elapsed_s < 60 else 10.0 if elapsed_s < 3600 else 60.0


class LiveView:
    """Shows totals about once a second, within its context."""

    def __init__(self, role_names: list[str], shown: list[int], seconds: float, frame_bytes: int, out: TextIO | None = None) -> None:
        """Parameters: shown: indices of the roles that run; seconds: how long the storm lasts; out: standard error unless it is given."""
        out = sys.stderr if out is None else out
        self._names, self._shown, self._seconds, self._frame_bytes, self._out = role_names, shown, seconds, frame_bytes, out
        self._before: tuple[float, Totals] | None = None
        self._next_plain_s = 0.0
        self._live = Live(console=Console(file=out), auto_refresh=False, transient=True) if redraws(out) else None

        self._starting = LiveLine(out, plain_every_s=2.0)

    def starting(self, nr_started: int, nr_parked: int, nr_workers: int) -> None:
        """Show how many workers have been forked, and how many of them are ready."""
        if self._starting.is_due:
            self._starting.say(f"starting {nr_workers:,} workers: {nr_started:,} forked, {nr_parked:,} ready")

    def __enter__(self) -> "LiveView":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, elapsed_s: float, totals: Totals) -> None:
        """Show the rates since the last update."""
        self._starting.clear()
        before_s, before = self._before or (0.0, Totals([0] * len(self._names), [0] * len(self._names), 0, 0, 0))
        self._before = (elapsed_s, totals)
        period_s = max(elapsed_s - before_s, 1e-3)
        rates = {
            self._names[index]: (
                (totals.operations[index] - before.operations[index]) / period_s,
                (totals.failures[index] - before.failures[index]) / period_s,
            )
            for index in self._shown
        }
        head = (
            f"{clock_text(elapsed_s)} of {clock_text(self._seconds)}, {clock_text(max(0.0, self._seconds - elapsed_s))} left; "
            f"free {size_text(totals.free_frames * self._frame_bytes)}; {(totals.migrated - before.migrated) / period_s:,.0f} migrated/s"
        )
        if self._live is not None:
            self._live.update(self._draw(head, rates), refresh=True)
        elif elapsed_s >= self._next_plain_s:
            self._next_plain_s = elapsed_s + plain_interval_s(elapsed_s) - 0.1
            parts = [f"{name} {rate:,.0f}/s" + (f" ({failed:,.0f} failed)" if failed else "") for name, (rate, failed) in rates.items()]
            print(f"{head}; {'; '.join(parts)}", file=self._out, flush=True)

    def _draw(self, head: str, rates: dict[str, tuple[float, float]]) -> Group:
        drawn = Table(box=None, pad_edge=False)
        drawn.add_column("role")
        drawn.add_column("operations/s", justify="right")
        drawn.add_column("failures/s", justify="right")
        for name, (rate, failed) in rates.items():
            drawn.add_row(name, f"{rate:,.0f}", f"{failed:,.0f}")
        return Group(Text(head), drawn)
