"""Results of a run, made up: one of an older version, and one with every part."""

from stress.storm.outcome import SCHEMA

RESULT = {
    "schema": SCHEMA,
    "verdict": "clean",
    "reason": "no invariant broke in 15.0 s and 4 checks at rest",
    "diagnosis": [],
    "violations": [],
    "config": {
        "scenario": "storm",
        "workers": 4,
        "nodes": 2,
        "memory_bytes": 256 << 20,
        "frame_bytes": 4096,
        "seed": 7,
        "check": "rest",
        "chaos": 0.0,
        "flavour": "fast",
        "policies": {"migration": "bitmap"},
    },
    "host": {"cpu": "a CPU", "cores": 2, "kernel": "Linux 6.18", "python": "3.11", "numba": "0.68.1", "numpy": "2.4.6"},
    "seconds": 15.0,
    "parked_seconds": 0.25,
    "checks": 4,
    "roles": {
        "anon": {
            "operations": 1_234_567,
            "failures": 3,
            "ops_per_s": 82304.5,
            "ns_per_op": {"mean": 300.0, "p50": 250.0, "p99": 900.0, "p99.9": None},
        }
    },
    "vmstat": {"pgalloc": 5000, "pgfree": 4000},
    "meetings": {
        "two_scanners_one_block": {"count": 4, "per_minute": 16.0, "floor": 100, "required": True, "met": False},
        "hint_fault_raced": {"count": 0, "per_minute": 0.0, "floor": 0, "required": False, "met": True},
    },
    "speculation": {"tried": 10, "failed_on_zero": 2, "undone_by_recheck": 1, "held_last_reference": 0, "kept": 7},
    "migration": {
        "compaction": {"migrated": 100, "failed": 5, "causes": {"lock": 5, "nomem": 0}},
        "numa_misplaced": {"migrated": 0, "failed": 0, "causes": {"lock": 0, "nomem": 0}},
    },
    "contention": {
        "zone": {"acquisitions": 1000, "contended": 10, "spins": 99},
        "pcp": {"acquisitions": 0, "contended": 0, "spins": 0},
        "cmpxchg": {"tried": 50, "failed": 1},
    },
    "buddyinfo_before": [[1, 0, 3], [0, 0, 7]],
    "buddyinfo_after": [[2, 0, 3], [0, 0, 6]],
}

NS = {"p50": 1e6, "p99": 2.5e6, "p99.9": None}
SAMPLE = {
    "seconds": 0.0,
    "movable_frames": [10, 20],
    "free_frames": [30, 40],
    "extfrag_index": [[-1000, -1000, 500], [-1000, 200, 700]],
    "unusable_index": [[0, 10, 900], [0, 300, 1000]],
}
#: with every part that a result may have
WHOLE = RESULT | {
    "verdict": "violated",
    "config": RESULT["config"]
    | {"trace": "a.npz", "snapshot": None, "command": "pfnstorm run", "geometry": {"pageblock_order": 2, "frames_per_node": 64}},
    "cpu_seconds": 29.5,
    "diagnosis": ["worker 2 held zone lock of node 0"],
    "violations": [
        {
            "invariant": "I8",
            "checker": "bug:BAD_FREE",
            "pfn": 77,
            "cpus": [2],
            "words": {"seen": 255},
            "message": "freed while locked",
            "scene": ["frame 77: free"],
        }
    ],
    "ranges": {
        "contig": {"tried": 9, "succeeded": 4, "ns": NS, "failed": {"isolated": 5}, "pageblocks": 2, "ranges": 12, "refused": {"busy": 3}},
        "isolate": {"tried": 3, "succeeded": 3, "ns": NS},
    },
    "fragmentation": [SAMPLE, SAMPLE | {"seconds": 1.0}],
}
