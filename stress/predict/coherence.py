"""Private caches of many CPUs under MESI: who has a line, what each access moves, and when a CPU gets it.

One cache a CPU, unlimited or of a stated number of lines (least recently used go first). A line is 64 bytes.

* A read of a line that no cache has is a *fill*; the reader has it exclusively. A read of a line that others have is a *transfer*, after
  which all of them share it.
* A write needs the line alone. If this CPU shares it, that is an *upgrade*; if not, a transfer or a fill. Every other copy that a write
  takes away is an *invalidation*. A write to a line that this CPU has alone costs nothing more than the access.

Time: a request travels for `hold_ns` on average, during which the CPUs that have the line continue to use it; then the line, or the answer
that no other has it any more, travels for `transfer_ns`, or `socket_ns` between two sockets. The first time is drawn evenly from 0 to twice
its mean, so that CPUs do not fall into step. Writers of a line are answered one after the other, in their order; readers of a line that
no CPU writes are answered at the same time.

Source      Papamarcos and Patel, A Low-Overhead Coherence Solution for Multiprocessors with Private Cache Memories, ISCA 1984
"""

import random
from collections import OrderedDict
from dataclasses import asdict, dataclass

LINE_SHIFT = 6


@dataclass
class Traffic:
    """What moved. Transfers are those within a socket and those across; an upgrade moves no data."""

    transfers: int = 0
    socket_transfers: int = 0
    fills: int = 0
    upgrades: int = 0
    invalidations: int = 0
    evictions: int = 0

    def minus(self, before: "Traffic") -> "Traffic":
        return Traffic(**{name: value - getattr(before, name) for name, value in asdict(self).items()})


@dataclass(frozen=True)
class LineCosts:
    """Nanoseconds, means: of a request, of an answer within and between sockets, of a fill from memory."""

    hold_ns: float
    transfer_ns: float
    socket_ns: float
    fill_ns: float = 0.0


class _Line:
    __slots__ = ("alone", "free_ns", "kept", "sharers", "version", "waiters")

    def __init__(self) -> None:
        self.sharers: set[int] = set()  # CPUs with a copy
        self.alone = -1  # the CPU that may write without a request, or -1
        self.free_ns = 0.0  # when the last requested exclusive copy arrives
        self.kept: dict[int, tuple[float, bool]] = {}  # CPU -> until when it may use a copy that was taken, and whether to write, too
        self.version = 0
        self.waiters: list[int] = []


class Coherence:
    """The caches of some CPUs.

    Parameters  socket_of: the socket of each CPU; cache_lines: lines of one cache, or None without a limit; seed: of the times drawn
    """

    def __init__(self, socket_of: list[int], costs: LineCosts, cache_lines: int | None = None, seed: int = 1) -> None:
        self.traffic = Traffic()
        self._rng = random.Random(seed)
        self._socket_of, self._costs, self._cache_lines = socket_of, costs, cache_lines
        self._lines: dict[int, _Line] = {}
        self._recent: list[OrderedDict[int, None]] = [OrderedDict() for _ in socket_of]

    def line(self, number: int) -> _Line:
        """The state of a line, by address >> LINE_SHIFT."""
        found = self._lines.get(number)
        if found is None:
            found = self._lines[number] = _Line()
        return found

    def read(self, cpu: int, number: int, now_ns: float) -> float:
        """A load at this time: when the CPU has the line."""
        line = self.line(number)
        if cpu in line.sharers or (cpu in line.kept and now_ns < line.kept[cpu][0]):
            self._touch(cpu, number)
            return now_ns
        if not line.sharers:
            self.traffic.fills += 1
            line.alone = cpu
            arrives_ns = now_ns + self._costs.fill_ns
        else:
            leaves_ns = self._leaves(line, now_ns)
            arrives_ns = leaves_ns + self._travels(cpu, line)
            if line.alone >= 0:
                line.kept[line.alone] = (leaves_ns, True)
                line.alone = -1
        line.sharers.add(cpu)
        line.kept.pop(cpu, None)
        self._touch(cpu, number)
        return arrives_ns

    def write(self, cpu: int, number: int, now_ns: float, posted: bool = False) -> float:
        """A store or a read-modify-write at this time: when the CPU has the line alone.

        Parameters  posted: the CPU does not wait, and its value is in memory at once; so no other CPU continues to use the line
        """
        line = self.line(number)
        if line.alone == cpu or (cpu in line.kept and line.kept[cpu][1] and now_ns < line.kept[cpu][0]):
            self._touch(cpu, number)
            return now_ns
        others = line.sharers - {cpu}
        leaves_ns = self._leaves(line, now_ns)
        if not others:
            self.traffic.fills += cpu not in line.sharers
            arrives_ns = leaves_ns + (self._costs.fill_ns if cpu not in line.sharers else 0.0)
        elif cpu in line.sharers:
            self.traffic.upgrades += 1
            arrives_ns = leaves_ns + max(self._distance(cpu, other) for other in others)
        else:
            arrives_ns = leaves_ns + self._travels(cpu, line)
        self.traffic.invalidations += len(others)
        line.kept = {} if posted else {other: (leaves_ns, other == line.alone) for other in others}
        for other in others:
            self._recent[other].pop(number, None)
        line.sharers, line.alone, line.free_ns = {cpu}, cpu, arrives_ns
        self._touch(cpu, number)
        return arrives_ns

    def _leaves(self, line: _Line, now_ns: float) -> float:
        """When the CPUs that have a line give it up for a request made now."""
        held_ns = self._rng.uniform(0, 2 * self._costs.hold_ns) if line.sharers else 0.0
        return max(now_ns, line.free_ns) + held_ns

    def _travels(self, cpu: int, line: _Line) -> float:
        """Count a transfer to a CPU from the nearest that has the line: how long it takes."""
        source = line.alone if line.alone >= 0 else self._nearest(cpu, line)
        if self._socket_of[source] == self._socket_of[cpu]:
            self.traffic.transfers += 1
        else:
            self.traffic.socket_transfers += 1
        return self._distance(cpu, source)

    def _nearest(self, cpu: int, line: _Line) -> int:
        return min(line.sharers, key=lambda other: (self._socket_of[other] != self._socket_of[cpu], other))

    def _distance(self, cpu: int, other: int) -> float:
        return self._costs.transfer_ns if self._socket_of[cpu] == self._socket_of[other] else self._costs.socket_ns

    def _touch(self, cpu: int, number: int) -> None:
        """Make a line the most recent of a cache that has a limit, and evict the least recent beyond it."""
        if self._cache_lines is None:
            return
        recent = self._recent[cpu]
        recent[number] = None
        recent.move_to_end(number)
        if len(recent) > self._cache_lines:
            oldest, _ = recent.popitem(last=False)
            line = self._lines[oldest]
            line.sharers.discard(cpu)
            if line.alone == cpu:
                line.alone = -1
            self.traffic.evictions += 1
