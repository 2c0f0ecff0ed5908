"""What Linux does, to memory that is arrays. Bottom up: base, page, alloc, map, types, migrate, policy; see README.md."""

SCANNED_PACKAGE = True  # `import kernels` depends on all of it (kernels/base/cache.py)
