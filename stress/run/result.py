"""The schema of run.json (pfnstorm-run/1): everything that the report of a run reads, checked before it is rendered.

Keys that are not named here are ignored. Those that older versions did not write have a default.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Word = Annotated[int, Field(ge=-(1 << 63), lt=1 << 64)]
Count = Annotated[int, Field(ge=0, lt=1 << 64)]
Size = Annotated[int, Field(ge=1, lt=1 << 64)]
Real = Annotated[float, Field(ge=0, le=1e30)]
Table = Annotated[list[list[Word]], Field(min_length=1)]  # by node and order


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class _Geometry(_Part):
    pageblock_order: Annotated[int, Field(ge=0, le=63)]
    frames_per_node: Size


class _Config(_Part):
    scenario: str
    workers: Count
    nodes: Count
    memory_bytes: Count
    frame_bytes: Count
    seed: Count
    check: str
    chaos: Real
    flavour: str
    policies: dict[str, str]
    trace: str | None = None
    snapshot: str | None = None
    command: str | None = None
    geometry: _Geometry | None = None


class _Host(_Part):
    cpu: str
    cores: Count
    kernel: str
    python: str
    numba: str
    numpy: str


class _Violation(_Part):
    invariant: str
    checker: str
    pfn: Word
    cpus: list[Word]
    words: dict[str, Word]
    message: str
    scene: list[str] = Field(default_factory=list)


class _Percentiles(_Part):
    p50: Real | None
    p99: Real | None
    p99_9: Real | None = Field(alias="p99.9")


class _Role(_Part):
    operations: Count
    failures: Count
    ops_per_s: Real
    ns_per_op: _Percentiles


class _Meeting(_Part):
    count: Count
    per_minute: Real
    per_cpu_minute: Real = 0.0
    floor: Real
    required: bool
    met: bool


class _Migration(_Part):
    migrated: Count
    failed: Count
    causes: dict[str, Count]


class _Attempts(_Part):
    """Attempts on whole ranges; `ranges` and `refused` are those of contiguous ranges only."""

    tried: Count
    succeeded: Count
    ns: _Percentiles
    pageblocks: Count = 1
    failed: dict[str, Count] = Field(default_factory=dict)
    ranges: Count = 0
    refused: dict[str, Count] = Field(default_factory=dict)


class _Sample(_Part):
    movable_frames: list[Word]
    free_frames: list[Word]
    extfrag_index: Table
    unusable_index: Table


class RunResult(_Part):
    """A finished run."""

    verdict: Literal["clean", "violated", "died", "stalled", "vacuous", "interrupted"]
    reason: str
    diagnosis: list[str]
    violations: list[_Violation]
    config: _Config
    host: _Host
    seconds: Real
    parked_seconds: Real
    cpu_seconds: Real = 0.0
    checks: Count
    roles: dict[str, _Role]
    vmstat: dict[str, Word]
    meetings: dict[str, _Meeting]
    speculation: Annotated[dict[str, Count], Field(min_length=1)]
    migration: dict[str, _Migration]
    ranges: dict[str, _Attempts] = Field(default_factory=dict)
    fragmentation: list[_Sample] = Field(default_factory=list)
    contention: dict[str, dict[str, Count]]
    buddyinfo_before: list[list[Word]]
    buddyinfo_after: list[list[Word]]

    @field_validator("contention")
    @classmethod
    def _has_its_columns(cls, contention: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        if "cmpxchg" not in contention:
            raise ValueError("there is no row cmpxchg")
        for name, row in contention.items():
            needed = ("tried", "failed") if name == "cmpxchg" else ("acquisitions", "contended", "spins")
            if missing := [column for column in needed if column not in row]:
                raise ValueError(f"row {name} has no {missing[0]}")
        return contention

    @field_validator("ranges")
    @classmethod
    def _contiguous_ranges_say_more(cls, ranges: dict[str, _Attempts]) -> dict[str, _Attempts]:
        contig = ranges.get("contig")
        if contig is not None and not {"ranges", "refused"} <= contig.model_fields_set:
            raise ValueError("contig has no ranges, or no refused")
        return ranges

    @model_validator(mode="after")
    def _samples_are_of_one_machine(self) -> "RunResult":
        if not self.fragmentation:
            return self
        if self.config.geometry is None:
            raise ValueError("fragmentation needs config.geometry")
        nr_nodes, nr_orders = len(self.fragmentation[0].unusable_index), len(self.fragmentation[0].unusable_index[0])
        if nr_orders <= self.config.geometry.pageblock_order:
            raise ValueError("fragmentation has no index of the pageblock order")
        for number, sample in enumerate(self.fragmentation):
            tables = (sample.extfrag_index, sample.unusable_index)
            lengths = {len(each) for each in (sample.movable_frames, sample.free_frames, *tables)}
            if lengths != {nr_nodes} or any(len(row) != nr_orders for each in tables for row in each):
                raise ValueError(f"fragmentation.{number} is not of {nr_nodes} nodes and {nr_orders} orders")
        return self
