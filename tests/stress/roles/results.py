"""Prints what the steps of each role return on a machine with too little memory, as {role: [results below 0]} in JSON.

Interpreted only: there a role's step is a Python function, while compiled code has only run_batch, which counts failures.

    NUMBA_DISABLE_JIT=1 python -m tests.stress.roles.results STEPS
"""

import json
import sys

from stress import roles
from tests.stress.roles import kit

RESERVED_FRAMES = 448  # of the 512 of a node; of the rest the per-CPU lists hold a part
ROUNDS = 2


def failures(nr_steps):
    """What steps of each role returned below 0, over ROUNDS rounds of all roles."""
    m, found = kit.Machine(reserved_frames=RESERVED_FRAMES), {role.name: set() for role in roles.ROLES}
    for _ in range(ROUNDS):
        for role in roles.ROLES:
            results = [int(role.step(m.mem, step % kit.NR_CPUS)) for step in range(nr_steps)]
            found[role.name] |= {result for result in results if result < 0}
    return {name: sorted(results) for name, results in found.items()}


if __name__ == "__main__":
    print(json.dumps(failures(int(sys.argv[1]))))
