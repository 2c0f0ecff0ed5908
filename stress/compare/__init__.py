"""`pfnstorm compare`: the values of a policy compared on this host, in interleaved rounds, and what the figures show."""
