"""The modelled machine: the memory segment that holds it, its sizes, and the host's limits."""
