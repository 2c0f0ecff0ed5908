"""`pfnstorm mutate`: how much of what could be wrong in the kernels the nets would see.

syntax      what a kernel's syntax tree says of words, locks and ways out
operators   which small mistakes a kernel could hold, all of them in one source, each behind a number
woven       a copy of the project with them in it, so that a thousand mutants compile once
nets        the explorer and storms as nets: servers that try mutants in forked children
server      such a server as its parent sees it
detect      seeded bugs in the place of mutants: how soon each strategy finds each
survivors   the checked-in table that explains who may survive
results     what became of each, on disk as soon as it is known
command     the order of it all, and the table
"""
