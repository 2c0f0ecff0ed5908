"""A recorded machine as a start: /proc/kpageflags is read, every frame is classified and put into a segment; `pfnstorm compact`."""
