"""`pfnstorm litmus`: tests as programs, explored under a memory model or run on real processors."""
