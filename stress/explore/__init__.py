"""The same kernels under a deterministic scheduler that finds, replays and shrinks interleavings. See README.md in this folder."""
