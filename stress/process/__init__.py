"""Processes and their traces: a forked child, scratch folders, this program started again, the build of kernels."""
