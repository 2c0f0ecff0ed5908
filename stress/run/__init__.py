"""`pfnstorm run`, `report` and `list`: from options to a result, the live view, the report, the store of runs."""
