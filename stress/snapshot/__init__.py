"""A recorded machine as a start: /proc/kpageflags read and checked, every frame classified, and put into a segment."""
