"""A comparison as `pfnstorm compare --json` saves it, small."""

from stress.compare.command import _as_json
from stress.compare.verdicts import RowGroup
from stress.measure.ratio import Figure

_STAGES = ("scan + isolate", "unmap", "all")


def _axis(base, figures, counts=None):
    return {"beside": None, "base": base, "counts": counts or {}, "figures": _as_json(RowGroup("a quiet machine", figures, base))}


def _rounds(**medians):
    return {value.replace("_", "-"): [ns, ns * 1.1, ns * 0.9] * 4 for value, ns in medians.items()}


COMPARISON = {
    "schema": "pfnstorm-compare/1",
    "host": {"cpu": "a processor", "cores": 2, "kernel": "Linux 6"},
    "seconds": 1.0,
    "axes": {
        "migration": _axis(
            "bitmap",
            [
                Figure(f"anon, {density} of 512: all but copy and flush", "ns/frame", _rounds(bitmap=400.0, list=300.0, folios=100.0))
                for density in (512, 64, 8)
            ],
        ),
        "offline": _axis(
            "none",
            [Figure(f"offline, 512 of 512: {stage}", "ns/frame", _rounds(none=20.0, counted=60.0, zero=40.0)) for stage in _STAGES],
            {"offline, 512 of 512": {value: {"scan": {"atomics": 7.0, "lines": 0.9, "accesses": 9.0}} for value in ("none", "counted")}},
        ),
        "refcount": _axis(
            "cas",
            [
                Figure("get + put, own line, 1 worker", "ns/pair", _rounds(cas=5.0, frozen_bit=4.0)),
                Figure("get + put, one line, 2 workers", "ns/pair", _rounds(cas=30.0, frozen_bit=30.0)),
            ],
        ),
    },
}
