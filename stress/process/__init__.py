"""Processes: the one place that forks, scratch folders, this program started again, the build of kernels."""
