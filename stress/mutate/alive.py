"""Names that a woven copy, the command and the nets share: which mutant is alive, and which mutants the kernels asked for."""

NUMBER = "PFNSTORM_MUTANT"  # in the environment: the mutant that is alive on a machine made by this process
ALIVE = "is_alive"  # the kernel (mem, number) of a woven copy: whether a mutant is alive
WORD, REACHED = "mutant", "mutant_reached"  # a parameter of the machine, and an array: the numbers asked for while the word is RECORD
UNCHANGED, RECORD = 0, -1  # the kernels as they are; the same, and every number that is asked for is recorded
