"""The harness: a storm of one role without checks, over the bare loop."""

from . import common


def setup_cache() -> common.Results:
    return common.measured("overhead")


setup_cache.timeout = common.GROUP_TIMEOUT_S  # type: ignore[attr-defined]


class Harness:
    @common.cost("bare loops", version="1")
    def track_storm(self, results: common.Results) -> float:
        return common.figure(results, "storm over bare loop")
