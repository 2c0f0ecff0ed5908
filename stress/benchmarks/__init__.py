"""asv's folder: timings only. What they time is in stress/measure, which every commit installs."""
