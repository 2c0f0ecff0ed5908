"""The words that options of the command line choose from."""

from enum import StrEnum


class Check(StrEnum):
    none = "none"
    rest = "rest"
    full = "full"


class MemoryModel(StrEnum):
    sc = "sc"
    tso = "tso"
    pso = "pso"


class ExploredMemoryModel(StrEnum):
    sc = "sc"
    tso = "tso"
    pso = "pso"
    rmo = "rmo"


class Listing(StrEnum):
    roles = "roles"
    scenarios = "scenarios"
    scenario_keys = "scenario-keys"
    checkers = "checkers"
    types = "types"
    policies = "policies"
    counters = "counters"
    bugs = "bugs"
    invariants = "invariants"
