"""What is timed: entries, pinned processes, the twin in C, ratios with intervals. Used by asv, `make limits` and `compare`."""
