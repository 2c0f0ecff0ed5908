"""URW: the odds of each task are in proportion to the steps that it has left, so that all interleavings are equally likely.

H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury, "Selectively uniform concurrency testing", ASPLOS 2025, which SURW is from, too. The steps
of each task are counted on random walks first; exactly uniform if they do not depend on the schedule and no task waits. (A random walk
favours interleavings in which a task ends early.)
"""

from kernels.base.jit import kernel
from stress.explore.chance import copy_counts, take_one, weighted_member
from stress.explore.state import PROFILE_STEPS, REMAINING
from stress.explore.strategy import Strategy


@kernel
def begin(s):
    """No task has made a step."""
    copy_counts(s, REMAINING, PROFILE_STEPS)
    return 0


@kernel
def choose(s, mask):
    """Any choice, by the steps that are left."""
    chosen = weighted_member(s, mask)
    take_one(s, chosen)
    return chosen


STRATEGY = Strategy(
    "urw", "uniform random walk: every interleaving is equally likely (Zhao et al., ASPLOS 2025)", choose, begin, profiled=True
)
