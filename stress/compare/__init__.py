"""`pfnstorm compare`: the values of a policy compared on this machine, in interleaved rounds, and what the figures show."""
