"""Free frames: buddy, per-CPU lists, isolated pageblocks, free scanners, hugetlb pools, poisoned frames; and descriptors."""
