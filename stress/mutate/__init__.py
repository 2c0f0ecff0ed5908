"""`pfnstorm mutate`: small mistakes put into every kernel, and which of them no net catches."""
