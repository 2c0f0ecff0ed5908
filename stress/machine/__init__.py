"""The modelled machine as a segment of memory: its sizes, what the host grants for it, its making and saving."""
