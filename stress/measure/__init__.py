"""Timing: entries, pinned processes, the same in C, ratios with intervals. Used by asv, `make limits` and `compare`."""
