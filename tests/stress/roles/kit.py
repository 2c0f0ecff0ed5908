"""What the role tests share: one small machine, with memory in use, on which any role can run."""

import tempfile
from pathlib import Path

from kernels.base.layout import COUNTER, COUNTER_STRIDE, Geometry
from kernels.policy.boot import boot
from stress import roles
from stress.machine.segment import create_machine
from stress.machine.sizes import derived_params
from tests.stress.roles.recordings import random_events, write_trace

NR_CPUS = 2
USERS = ("anon", "filecache", "balloon", "kernel")  # roles that use memory of every kind that moves, and memory that does not


class Machine:
    """A booted machine with a recorded trace. The roles run in this process, on one CPU at a time."""

    def __init__(self, seed=7, reserved_frames=8):
        with tempfile.TemporaryDirectory() as folder:
            trace = write_trace(Path(folder) / "trace.npz", random_events(200, NR_CPUS, max_order=3, seed=seed))
        geometry = Geometry(
            nr_cpus=NR_CPUS,
            nr_nodes=2,
            frames_per_node=512,
            pageblock_order=3,
            words_per_frame=8,
            nr_tasks=8,
            task_pages=64,
            table_pages=32,
            nr_files=4,
            file_pages=64,
            nr_trace_events=trace.nr_events,
            max_trace_pfn=trace.nr_slots,
        )
        self.mem = create_machine(
            geometry, derived_params(geometry) | {"seed": seed, "reserved_frames": reserved_frames, "memory_block_blocks": 2}
        )
        boot(self.mem, 0)
        trace.write_to(self.mem)

    def __getitem__(self, field):
        return self.mem.arrays[field]

    def counter(self, name):
        """A counter, over all CPUs."""
        return int(self["counters"].reshape(-1, COUNTER_STRIDE)[:, COUNTER[name]].sum())

    def run(self, role, cpu, nr_ops=1):
        """The failures of a batch of a role."""
        return roles.run_batch(self.mem, cpu, roles.ROLE_INDEX[role], nr_ops)

    def put_to_use(self, names, rounds=4, nr_ops=500):
        """Run roles on both CPUs in turns, so that there is memory to move, merge, poison or take, with holes in it."""
        for _ in range(rounds):
            for name in names:
                for cpu in range(NR_CPUS):
                    self.run(name, cpu, nr_ops)
