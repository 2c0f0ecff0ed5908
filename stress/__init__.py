"""Runs the kernels, checks them, measures them. See README.md in this folder."""
