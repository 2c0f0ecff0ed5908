"""Run the same single-CPU trace of every role and print, as JSON, a digest of every array that does not hold times.

Run as a program by test_executions.py, compiled and interpreted; a trace that differs somewhere differs in the final bytes.
"""

import hashlib
import json
import sys

from kernels.base.layout import Geometry
from kernels.policy.boot import boot
from stress.machine.segment import create_machine
from stress.roles import ROLES, run_batch
from tests.kernels.kit import PARAMS

TIMES = {"hist", "waits", "ring_cycles", "role_cycles", "zone_numa_window", "zone_numa_pages", "bug_ns"}
ONE_CPU = Geometry(
    nr_cpus=1,
    nr_nodes=2,
    frames_per_node=256,
    pageblock_order=3,
    words_per_frame=8,
    nr_tasks=4,
    task_pages=64,
    table_pages=16,
    nr_files=2,
    file_pages=16,
)


def main(rounds, ops):
    mem = create_machine(ONE_CPU, PARAMS | {"seed": 11, "numa_rate_limit": 1 << 40})
    boot(mem, 0)
    for _ in range(rounds):
        for index, role in enumerate(ROLES):
            if not role.needs:
                run_batch(mem, 0, index, ops)
    digests = {name: hashlib.sha256(array.tobytes()).hexdigest()[:16] for name, array in mem.arrays.items() if name not in TIMES}
    ran = {role.name: int(mem.arrays["role_ops"][index]) for index, role in enumerate(ROLES)}
    json.dump({"digests": digests, "ran": ran}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
