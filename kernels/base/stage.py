"""The time of each stage of a migration: cycles per stage and CPU, when `timing` is on.

Models      nothing of Linux: it measures what ftrace's function_graph would, at two counter reads a stage
"""

from kernels.base.atomics import cycles
from kernels.base.jit import kernel

NR_STAGES = 16  # words per CPU of stage_cycles
STAGES = ("scan", "isolate", "unmap", "flush", "copy", "move", "putback")  # move includes copy

STAGE_SCAN, STAGE_ISOLATE, STAGE_UNMAP, STAGE_FLUSH, STAGE_COPY, STAGE_MOVE, STAGE_PUTBACK = range(len(STAGES))


@kernel
def stage_begin(mem):
    """The time, if stages are timed.

    Progress    wait-free
    """
    return cycles() if mem.timing else 0


@kernel
def stage_end(mem, cpu, stage, begin):
    """Add the cycles since `begin` to a stage.

    Returns     the time, for the next stage
    Progress    wait-free
    """
    if mem.timing:
        now = cycles()
        mem.stage_cycles[cpu * NR_STAGES + stage] += now - begin
        return now
    return 0
