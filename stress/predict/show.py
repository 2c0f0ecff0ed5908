"""A forecast in text: costs, points of two workers measured and predicted, tables by the number of CPUs, assumptions."""

from collections.abc import Sequence

from stress.predict.cost import TRAINING, HostCosts
from stress.predict.forecast import SPREAD, Forecast, PredictedMachines
from stress.predict.virtual import WINDOW_NS

BOUND = 0.2


def number(value: float) -> str:
    """Three digits, or all before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _lined_up(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip() for row in rows]


def costs_lines(costs: HostCosts) -> list[str]:
    """The cost model."""
    how = f"fitted to two workers: {'; '.join(TRAINING)}" if costs.fitted else "assumed: two workers could not be measured"
    return [
        f"costs: atomic {costs.atomic_ns:.2f} ns, turn of a spin loop {costs.pause_ns:.1f} ns, measured by one worker",
        f"       a request {costs.request_ns:.1f} ns, a line or an answer {costs.transfer_ns:.1f} ns between two cores, {how}",
    ]


def validation_table(forecasts: Sequence[Forecast]) -> list[str]:
    """Every point of two workers beside its prediction."""
    rows = [["the time by two workers / by one", "ns by one", "rounds", "measured", "predicted", "error", ""]]
    for each in forecasts:
        checked = each.validation
        if checked is None:
            continue
        is_time = each.alone_ns == 0
        mark = "fitted" if not checked.held_out else "" if abs(checked.error) <= BOUND else f"beyond {100 * BOUND:.0f} %"
        measured, predicted = number(checked.measured) + " ns" * is_time, number(checked.predicted) + " ns" * is_time
        alone = "-" if is_time else number(each.alone_ns)
        rows.append([each.title, alone, str(checked.nr_rounds), measured, predicted, f"{100 * checked.error:+.1f} %", mark])
    if len(rows) == 1:
        return ["two workers could not be measured: nothing to compare a prediction with", ""]
    held = [each.validation for each in forecasts if each.validation is not None and each.validation.held_out]
    inside = sum(abs(each.error) <= BOUND for each in held)
    return [*_lined_up(rows), f"held out, within {100 * BOUND:.0f} %: {inside} of {len(held)}", ""]


def forecast_table(forecasts: Sequence[Forecast], machines: PredictedMachines) -> list[str]:
    """Throughput and traffic on the machines that were asked for."""
    head = [
        "per operation, and operations/us of all",
        "CPUs",
        "transfers",
        "across",
        "upgrades",
        "invalid.",
        "atomics",
        "MESI",
        "",
        "law",
        "",
    ]
    rows = [head]
    for each in forecasts:
        by_count = {point.nr_cpus: point for point in each.points}
        for cpus in machines.cpus:
            point, counts = by_count.get(cpus), ["-"] * 5
            found = ["not reached", ""]
            if point is not None:
                what = point.counts
                moved = (what.transfers, what.socket_transfers, what.upgrades, what.invalidations, what.atomics)
                counts, found = (
                    [number(value) for value in moved],
                    [number(point.ops_per_us), f"({number(point.low)} - {number(point.high)})" if point.low < point.high else "(one run)"],
                )
            law = ["-", ""]
            if each.law is not None:
                low, middle, high = each.law.interval(cpus)
                law = [number(middle), f"({number(low)} - {number(high)})"]
            rows.append([each.title, str(cpus), *counts, *found, *law])
    return [*_lined_up(rows), ""]


def assumptions(machines: PredictedMachines, costs: HostCosts, socket_assumed: bool) -> list[str]:
    """What the figures rest on, in words."""
    ratio = machines.socket_ns / costs.transfer_ns
    socket = (
        f"between sockets {machines.socket_ns:.0f} ns ({ratio:.1f} times), {'an assumption: --socket-ns' if socket_assumed else 'as given'}"
    )
    cache = "private caches without a limit" if machines.cache_lines is None else f"private caches of {machines.cache_lines:,} lines, LRU"
    return [
        f"MESI: the kernels interpreted on as many CPUs, {cache}; a socket is a node; {socket}.",
        f"      (low - high): all transfers {100 * SPREAD:.0f} % cheaper and dearer, each with another schedule.",
        f"      Loads beside an atomic on one line come with it for {WINDOW_NS:.0f} ns. A request's time is drawn: 0 to twice its mean.",
        "law:  the universal scalability law on what was measured here, 95 % by bootstrap. One and two workers do not tell contention from",
        "      coherency, so the interval spans both; it knows nothing of sockets.",
        "Not modelled: bandwidth of memory and links, occupancy of directories, misses of the last-level cache, several threads of a core,",
        "frequency, preemption of a lock's owner, yielding and napping while spinning. Statistics of the model itself are left out.",
    ]
