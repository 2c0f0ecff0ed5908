"""Output: tables and sizes as text, the progress line, streams that may fail, JSON reports."""
