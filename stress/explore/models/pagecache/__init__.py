"""The page cache: lockless lookups, reads and writes against truncation, split, writeback and reclaim."""
