"""The stories of seeded bugs: what each recreates, which net must catch it, and how to storm for it. One TOML file beside each patch."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kernels.base.layout import Bug
from stress.checkers import all_checkers
from stress.errors import UserError, unknown
from stress.io.reading import read_toml
from stress.storm.scenario import Scenario

BUG_FOLDER = Path(__file__).resolve().parents[2] / "tests" / "bugs"
IN_ACT = "bug:"  # the prefix of the checker's name in a violation that an assertion of a kernel reports
#: endings that catch a bug without a violation: it makes a worker wait forever, or kills it
ENDINGS = ("stalled", "died")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoryStorm(_Strict):
    """[storm]: how to run it. The defaults are small, so that CPUs meet soon.

    pageblock_order     only for a story with [roles]; with few small frames three CPUs meet at one page
    """

    scenario: str = "storm"
    workers: int = Field(default=4, ge=1, le=64)
    memory: str = "64M"
    frame_bytes: int = 4096
    pageblock_order: int = 9
    check: Literal["rest", "full"] = "rest"
    chaos: float = Field(default=0.01, ge=0, le=1)

    @property
    def flavour(self) -> str:
        return "checked" if self.check == "full" or self.chaos > 0 else "fast"


class Story(_Strict):
    """One seeded bug.

    recreates   the real bugs behind it: ids of docs/invariants.md (such as A1), Linux commits, Linux functions with the rule that it breaks
    expect      nets of which at least one must catch it: checkers at rest, `bug:CODE` of layout.Bug, or an ending
    proves      checkers at rest that must all report it: this bug is the proof that they work
    silence     codes of assertions in the act that are removed from the copy, since they would end the storm before a checker at
                rest could see what the bug does
    explore     the model of stress/explore/models in which exploring finds it; or
    explore_not why exploring cannot find it: then storms are its net
    roles       if given, the weights of a scenario made for this story, used instead of storm.scenario
    policy      values of layout.POLICIES under which the bug shows; the others are the scenario's
    """

    title: str = Field(min_length=10)
    recreates: str = Field(min_length=2)
    interleaving: str = Field(min_length=20)
    invariant: str = Field(min_length=1)
    expect: tuple[str, ...] = Field(min_length=1)
    proves: tuple[str, ...] = ()
    silence: tuple[str, ...] = ()
    storm: StoryStorm = StoryStorm()
    explore: str = ""
    explore_not: str = ""
    roles: dict[str, float] = Field(default_factory=dict)
    policy: dict[str, str] = Field(default_factory=dict)

    @field_validator("expect")
    @classmethod
    def _known_nets(cls, nets: tuple[str, ...]) -> tuple[str, ...]:
        for net in nets:
            if net.startswith(IN_ACT):
                _check_code(net.removeprefix(IN_ACT))
            elif net not in ENDINGS:
                _check_checker(net)
        return nets

    @field_validator("proves")
    @classmethod
    def _known_checkers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            _check_checker(name)
        return names

    @field_validator("silence")
    @classmethod
    def _known_codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            _check_code(code)
        return codes

    @model_validator(mode="after")
    def _expects_what_it_proves(self) -> "Story":
        if unexpected := set(self.proves) - set(self.expect):
            raise ValueError(f"proves {', '.join(sorted(unexpected))} but does not expect it")
        if silent := {IN_ACT + code for code in self.silence} & set(self.expect):
            raise ValueError(f"expects {', '.join(sorted(silent))} but silences it")
        if not self.roles and self.storm.pageblock_order != StoryStorm().pageblock_order:
            raise ValueError("storm.pageblock_order needs [roles]")
        return self

    def is_caught_by(self, nets: set[str]) -> bool:
        """Whether these nets include one that is expected and all that are to be proved."""
        return bool(nets & set(self.expect)) and nets >= set(self.proves)


@dataclass(frozen=True)
class SeededBug:
    """A bug by name. The unchanged kernels are one without a patch."""

    name: str
    patch: Path | None
    story: Story


def _check_code(code: str) -> None:
    if code not in Bug.__members__:
        raise ValueError(f"unknown code {code!r}; known: {', '.join(Bug.__members__)}")


def _check_checker(name: str) -> None:
    if name not in all_checkers():
        raise ValueError(f"unknown net {name!r}; known: bug:CODE, {', '.join(ENDINGS)}, and the checkers {', '.join(all_checkers())}")


def read_story(path: Path) -> Story:
    """Read and check a story.

    Raises      UserError, one line
    """
    return read_toml(path, Story)


def seeded_bugs(names: Sequence[str] = (), folder: Path = BUG_FOLDER) -> list[SeededBug]:
    """The bugs of these names, or all of them.

    Raises      UserError if there is no such bug, or if this installation has none
    """
    if not folder.is_dir():
        raise UserError("the seeded bugs are not part of this installation: run `pfnstorm bugs` in a clone of the project")
    patches = {path.stem: path for path in sorted(folder.glob("*.patch"))}
    for name in names:
        if name not in patches:
            raise unknown("bug", name, patches, "pfnstorm bugs --list")
    return [SeededBug(name, patches[name], read_story(patches[name].with_suffix(".toml"))) for name in names or patches]


def scenario_text(story: Story) -> str:
    """The scenario file of a story with [roles]."""
    weights = "".join(f"{name} = {weight}\n" for name, weight in story.roles.items())
    text = f'name = "seeded"\nsummary = "for a seeded bug"\n[machine]\npageblock_order = {story.storm.pageblock_order}\n[roles]\n{weights}'
    Scenario.model_validate(tomllib.loads(text))
    return text
