"""One storm: a scenario, workers, the supervisor that parks, checks and ends them, and what it found."""
