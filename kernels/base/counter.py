"""Counters by name: `counter.PGFAULT` is the index of "pgfault" in a CPU's row (see layout.COUNTERS for the list)."""

from kernels.base.layout import COUNTERS

globals().update({name.upper(): index for index, name in enumerate(COUNTERS)})
