"""What is printed and written: standard streams that may go away, the progress line, JSON reports."""
