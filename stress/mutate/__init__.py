"""`pfnstorm mutate`: how much of what could be wrong in the kernels the nets would see.

operators   which small mistakes a kernel could hold, found in its syntax tree
weave       all of them in one source, each behind a number, so that a thousand mutants compile once
explored    the explorer as a net: forked processes that try mutants in models that reach them
stormed     storms as a net, for what no model reaches or kills
survivors   the checked-in table that explains who may survive
results     what became of each, on disk as soon as it is known
command     the order of it all, and the table
"""
