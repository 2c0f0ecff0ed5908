"""The asv suite: timing only. The operations are in stress/measure."""
