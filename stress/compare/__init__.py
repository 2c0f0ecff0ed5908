"""`pfnstorm compare`: the values of one policy side by side on this machine, in interleaved rounds, with what is shown and what is not."""
