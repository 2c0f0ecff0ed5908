"""One storm: its scenario, its workers, the supervisor that parks, checks and ends them, and its outcome."""
