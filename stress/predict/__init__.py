"""`pfnstorm predict`: coherence traffic and throughput of hot paths on machines that one does not have."""
