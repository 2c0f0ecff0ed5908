"""A forecast as a picture: for each workload throughput and traffic by the number of CPUs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stress.io.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, saved
from stress.predict.forecast import Forecast, PredictedMachines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAFFIC = (("transfers", "within a socket", BLUE), ("socket_transfers", "across", ORANGE), ("upgrades", "upgrades", GREEN))
LEAST = 0.01  # the lower end of an axis of counts: less is drawn there


def _throughput(panel: "Axes", forecast: Forecast, most: int) -> None:
    counts = sorted({1, 2, *(2**k for k in range(2, 13) if 2**k <= most), most})
    if forecast.law is not None:
        law = [forecast.law.interval(n) for n in counts]
        panel.fill_between(
            counts, [low for low, *_ in law], [high for *_, high in law], color=PURPLE, alpha=0.25, linewidth=0, label="law, 95 %"
        )
    points = forecast.points
    if points:
        spans = [[p.ops_per_us - p.low for p in points], [p.high - p.ops_per_us for p in points]]
        places, rates = [p.nr_cpus for p in points], [p.ops_per_us for p in points]
        panel.errorbar(places, rates, yerr=spans, color=BLUE, marker="o", markersize=3, linewidth=1.2, label="MESI")
    if forecast.alone_ns:
        measured = [(1, 1000 / forecast.alone_ns)]
        if forecast.validation is not None:
            measured.append((2, 2000 / (forecast.alone_ns * forecast.validation.measured)))
        panel.plot(*zip(*measured, strict=True), "x", color="black", markersize=6, label="measured here")
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_title(forecast.title, fontsize=9, loc="left")
    _count_axis(panel, most)
    panel.set_ylabel(f"{forecast.unit}s/µs, all CPUs", fontsize=8)


def _count_axis(panel: "Axes", most: int) -> None:
    """Numbers of CPUs, as numbers."""
    ticks = [4**k for k in range(6) if 4**k <= most]
    panel.set_xticks(ticks, [str(tick) for tick in ticks])
    panel.set_xlim(0.8, most * 1.3)


def _traffic(panel: "Axes", forecast: Forecast, most: int) -> None:
    places = [point.nr_cpus for point in forecast.points]
    for name, label, colour in TRAFFIC:
        values = [max(LEAST, getattr(point.counts, name)) for point in forecast.points]
        if values and max(values) > LEAST:
            panel.plot(places, values, color=colour, marker="o", markersize=3, linewidth=1.2, label=label)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    _count_axis(panel, most)
    panel.set_ylim(LEAST, 1000)
    panel.set_ylabel(f"lines per {forecast.unit}", fontsize=8)
    if not panel.lines:
        panel.text(0.5, 0.5, "no line moves", transform=panel.transAxes, ha="center", color=GREY, fontsize=8)


def plot(forecasts: Sequence[Forecast], machines: PredictedMachines, host: str, path: Path) -> None:
    """Two workloads a row, two panels each.

    Raises      UserError if the file cannot be written
    """
    most, rows = max(machines.cpus), -(-len(forecasts) // 2)
    with saved(path, rows, 4, (11, 0.8 + 1.9 * rows)) as (chart, panels):
        for number, forecast in enumerate(forecasts):
            _throughput(panels[2 * number], forecast, most)
            _traffic(panels[2 * number + 1], forecast, most)
        for panel in panels[2 * len(forecasts) :]:
            panel.set_axis_off()
        for panel in panels[2 * len(forecasts) - 4 : 2 * len(forecasts)] if len(forecasts) > 1 else panels[:2]:
            panel.set_xlabel("CPUs", fontsize=8)
        handles = dict(zip(*(panels[0].get_legend_handles_labels()[::-1]), strict=True))
        for panel in panels[1 : 2 * len(forecasts) : 2]:
            handles |= dict(zip(*(panel.get_legend_handles_labels()[::-1]), strict=True))
        chart.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False)
        chart.suptitle(f"{machines.sockets} socket{'s' if machines.sockets > 1 else ''}, predicted from {host}", fontsize=9)
