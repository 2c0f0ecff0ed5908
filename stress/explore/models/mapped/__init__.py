"""Mapped memory: faults, unmaps, forks, KSM, GUP-fast, NUMA hints and migration against each other."""
