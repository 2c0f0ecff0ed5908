"""Scenarios: machine, roles, policies and required meetings, in TOML files that are checked key by key.

A mistake is one line that names the file, the key and the values that are allowed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationInfo, field_validator, model_validator

from kernels.base.layout import MEETINGS, NUMBERS, PIN_CAPACITY, POLICIES
from stress.errors import UserError
from stress.io.reading import is_file, read_toml
from stress.io.text import shortened
from stress.machine.sizes import DEFAULT_FILL, DEFAULT_PINS
from stress.registry import scan_files

SCENARIO_FOLDER = Path(__file__).resolve().parents[1] / "scenarios"
FRAME_BYTES_MIN, FRAME_BYTES_MAX = 64, 4096
DEFAULT_FLOOR_PER_MINUTE = 50
MOST_FILLED = 0.95  # the largest share of memory that [fragmentation] fills

Weights = dict[str, Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]]  # their sum must be finite
_WEIGHTS = "a weight for each role, its share of work batches: `pfnstorm list roles`"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Machine(_Strict):
    """[machine]: what is modelled. Absent sizes are chosen to fit the host."""

    nodes: int = Field(default=2, ge=1, le=64, description="NUMA nodes, of one zone each")
    frame_bytes: int = Field(
        default=4096, ge=FRAME_BYTES_MIN, le=FRAME_BYTES_MAX, description="bytes of contents per frame, a power of two"
    )
    pageblock_order: int = Field(default=9, ge=1, le=10, description="a pageblock has 2^order frames")
    memory: str | None = Field(
        default=None, description='of all nodes together, such as "64M"; by default 256M, or a quarter of what is free if that is less'
    )
    workers: int | None = Field(default=None, ge=1, description="modelled CPUs, a process each; by default 2 per core, 4 to 256")
    fill: float = Field(default=DEFAULT_FILL, ge=0.1, le=4, description="virtual memory of all tasks, as a multiple of the frames")
    reserved: float = Field(default=0, ge=0, le=0.5, description="the share of each node that boot never frees")
    pins: int = Field(
        default=DEFAULT_PINS, ge=0, le=PIN_CAPACITY, description="the most references that the speculators of one worker hold"
    )
    movable_nodes: int = Field(
        default=0, ge=0, le=63, description="the last nodes, in which only movable memory is allocated, as in ZONE_MOVABLE"
    )
    contig_blocks: int | None = Field(
        default=None, ge=1, description="neighbouring pageblocks that role contig allocates; by default a sixteenth of a node"
    )

    @field_validator("frame_bytes")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"must be a power of two from {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX}")
        return value


def _check_weights(weights: Weights, info: ValidationInfo) -> Weights:
    known: Sequence[str] = (info.context or {}).get("roles", ())
    for name in weights:
        if known and name not in known:
            raise ValueError(f"unknown role {name!r}; known: {', '.join(known)}")
    if weights and not any(weight > 0 for weight in weights.values()):
        raise ValueError("at least one weight must be above 0")
    return weights


class Mix(_Strict):
    """[[workers]]: `count` workers with these roles. The list repeats until every worker has its mix."""

    count: int = Field(default=1, ge=1, le=4096, description="workers with this mix")
    roles: Weights = Field(min_length=1, description=_WEIGHTS)

    _roles = field_validator("roles")(_check_weights)


class Fragmentation(_Strict):
    """[fragmentation]: shares of memory at the start of the storm; the same seed makes the same machine."""

    movable: float = Field(ge=0, le=0.95, description="the share in use by movable memory")
    unmovable: float = Field(default=0, ge=0, le=0.95, description="the share in use by unmovable memory")
    reclaimable: float = Field(default=0, ge=0, le=0.95, description="the share in use by reclaimable memory")
    pinned: float = Field(default=0, ge=0, le=0.95, description="movable pages that are pinned, as a share of memory")
    holes: bool = Field(
        default=True,
        description="fill nearly all memory with all kinds, then free at random places; if false, fill only to these shares",
    )

    @model_validator(mode="after")
    def _some_memory_stays_free(self) -> "Fragmentation":
        if (total := self.movable + self.unmovable + self.reclaimable) > MOST_FILLED:
            raise ValueError(f"movable, unmovable and reclaimable together take {total:g} of memory; the maximum is {MOST_FILLED:g}")
        if self.pinned > self.movable:
            raise ValueError("only movable pages are pinned: pinned must not be more than movable")
        return self


class Scenario(_Strict):
    """One file of stress/scenarios, or a file of the user."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="part of the names of result folders; a shipped scenario's is its file's"
    )
    summary: str = Field(description="one line, for `pfnstorm list scenarios`")
    machine: Machine = Field(default=Machine(), description="what is modelled")
    fragmentation: Fragmentation | None = Field(default=None, description="what is in memory at the start; by default nothing")
    policy: dict[str, str] = Field(
        default_factory=dict, description="a value for each policy that is not at its default: `pfnstorm list policies`"
    )
    roles: Weights = Field(default_factory=dict, description=_WEIGHTS)
    workers: Annotated[tuple[Mix, ...], Strict(False)] = Field(
        default=(), description="mixes of roles, in place of [roles]"
    )  # TOML has lists
    trace: str | None = Field(
        default=None, description="a recorded kmem trace (.npz) to replay, in place of roles; the path is relative to this file"
    )
    meetings: Annotated[tuple[str, ...], Strict(False)] = Field(
        default=(), description="meetings that the scenario exists for, or its verdict is vacuous: `pfnstorm list counters`"
    )
    floor_per_minute: int = Field(
        default=DEFAULT_FLOOR_PER_MINUTE,
        ge=0,
        description="how often each of `meetings` must happen per minute of the workers' CPU time; less if workers share few cores",
    )

    _roles = field_validator("roles")(_check_weights)

    @field_validator("policy", mode="before")
    @classmethod
    def _numbers_as_text(cls, policy: object) -> object:
        if not isinstance(policy, dict):
            return policy
        return {name: str(value) if type(value) is int and name in NUMBERS else value for name, value in policy.items()}

    @field_validator("policy")
    @classmethod
    def _known_policies(cls, policy: dict[str, str]) -> dict[str, str]:
        for name, value in policy.items():
            check_policy(name, value)
        return policy

    @field_validator("meetings")
    @classmethod
    def _known_meetings(cls, meetings: tuple[str, ...]) -> tuple[str, ...]:
        for name in meetings:
            if name not in MEETINGS:
                raise ValueError(f"unknown meeting {name!r}; known: {', '.join(MEETINGS)}")
        return meetings

    @model_validator(mode="after")
    def _one_way_to_mix(self) -> "Scenario":
        if bool(self.roles) + bool(self.workers) + bool(self.trace) != 1:
            raise ValueError("give the roles once: either [roles], or [[workers]], or trace")
        return self

    def weights_of(self, worker: int) -> dict[str, float]:
        """The role weights of one worker."""
        if not self.workers:
            return dict(self.roles)
        mixes = [mix.roles for mix in self.workers for _ in range(mix.count)]
        return dict(mixes[worker % len(mixes)])


def check_policy(name: str, value: str) -> None:
    """Raise ValueError unless layout.POLICIES has this value of the policy, or layout.NUMBERS allows the number."""
    if name in NUMBERS:
        least, most, _ = NUMBERS[name]
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"policy {name!r} is a number from {least} to {most} (is {value!r})")
        return
    if name not in POLICIES:
        raise ValueError(f"unknown policy {name!r}; known: {', '.join((*POLICIES, *NUMBERS))}")
    if value not in POLICIES[name]:
        raise ValueError(f"unknown value {value!r} of policy {name!r}; known: {', '.join(POLICIES[name])}")


def parse_policies(settings: Sequence[str]) -> dict[str, str]:
    """The values of --set policy=value.

    Raises      UserError
    """
    chosen: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: write --set policy=value; policies: {', '.join((*POLICIES, *NUMBERS))}")
        try:
            check_policy(name, value)
        except ValueError as error:
            raise UserError(f"--set {setting}: {error}") from error
        if chosen.get(name, value) != value:
            raise UserError(f"--set {setting}: contradicts --set {name}={chosen[name]}")
        chosen[name] = value
    return chosen


def chosen_values(policies: dict[str, str]) -> dict[str, str]:
    """The value of every policy, defaults included."""
    defaults = {name: values[0] for name, values in POLICIES.items()} | {name: str(default) for name, (*_, default) in NUMBERS.items()}
    return defaults | policies


def policy_params(policies: dict[str, str]) -> dict[str, int]:
    """The header parameter of every policy, defaults included: the index of its value in layout.POLICIES, or the number."""
    chosen = chosen_values(policies)
    return {f"policy_{name}": values.index(chosen[name]) for name, values in POLICIES.items()} | {
        name: int(chosen[name]) for name in NUMBERS
    }


# ------------------------------------------------------------------------------------------------------------------ files


def shipped_scenarios() -> dict[str, Path]:
    """The scenarios of pfnstorm by name."""
    return scan_files(SCENARIO_FOLDER, ".toml")


def find_scenario(text: str) -> Path:
    """The file of a scenario given by name or by path.

    Raises      UserError if there is none
    """
    shipped = shipped_scenarios()
    if text in shipped:
        return shipped[text]
    path = Path(text)
    if path.suffix == ".toml" or "/" in text:
        if is_file(path):
            return path
        raise UserError(f"{shortened(text)}: no such scenario file")
    raise UserError(f"unknown scenario {shortened(text)!r}; known: {', '.join(shipped)}, or the path of a .toml file")


def read_scenario(path: Path, known_roles: Sequence[str] = ()) -> Scenario:
    """Read and check a scenario file.

    Parameters  known_roles: names that may be mixed; empty: not checked
    Raises      UserError, one line
    """
    scenario = read_toml(path, Scenario, {"roles": tuple(known_roles)})
    if path.parent == SCENARIO_FOLDER and scenario.name != path.stem:
        raise UserError(f"{path}: name: is {scenario.name!r}, but must match the file name, {path.stem!r}")
    return scenario
