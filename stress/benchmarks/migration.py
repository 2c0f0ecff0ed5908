"""Anonymous order-0 folios, mapped once, migrated: one by one by migrate_folios(), and a pageblock by migrate_range(). Per folio."""

import statistics
from typing import Any

from . import common

NR_PAGES = 512


class Migration:
    params = ([64, 4096],)
    param_names = ("frame_bytes",)
    timeout = common.BUILD_TIMEOUT_S

    def _machine(self, nr_nodes: int, frame_bytes: int) -> Any:
        from stress.measure import machines, migration

        machine = machines.task_machine(nr_nodes, frame_bytes=frame_bytes)
        present = migration.fault_in(machine, 0, 0, NR_PAGES)
        if present != NR_PAGES:
            raise RuntimeError(f"{present} of {NR_PAGES} pages are present")
        return machine

    @common.cost()
    def track_migrate_one_folio(self, frame_bytes: int) -> float:
        from stress.measure import migration

        machine = self._machine(2, frame_bytes)
        return common.seconds_per_op(lambda nr_ops: migration.migrate_one_folio(machine, 0, 0, NR_PAGES, nr_ops), 20 * NR_PAGES)

    @common.cost()
    def track_migrate_range(self, frame_bytes: int) -> float:
        from stress.measure import migration

        machine = self._machine(1, frame_bytes)
        spent, figures = machine.arrays["role_cycles"], []
        migration.migrate_one_range(machine, 0, 0, 2)  # its first pass gathers the folios in one pageblock
        for _ in range(common.REPEATS):
            before = int(spent[0])
            migrated = migration.migrate_one_range(machine, 0, 0, 20)
            if migrated != 20 * NR_PAGES:
                raise RuntimeError(f"{migrated} of {20 * NR_PAGES} frames were migrated")
            figures.append((int(spent[0]) - before) / machine.cycles_per_us / migrated / 1e6)
        return float(statistics.median(figures))
