"""`pfnstorm run`: options, setup, the storm, its live view, its report, and what is kept on disk."""
