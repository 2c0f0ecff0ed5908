"""`pfnstorm history`: what became slower or faster in the results that asv has stored."""
