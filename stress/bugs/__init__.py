"""`pfnstorm bugs`: seeded bugs, stormed and explored on copies of the kernels."""
