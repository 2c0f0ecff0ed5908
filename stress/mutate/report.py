"""What became of the mutants: the table, the JSON, the exit code."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stress.errors import EXIT_CLEAN, EXIT_VACUOUS, EXIT_VIOLATED
from stress.mutate.operators import KINDS, Mutant
from stress.mutate.plan import Net
from stress.mutate.results import KILLED, SURVIVED, UNREACHED, UNTRIED, Results
from stress.mutate.survivors import Survivor

SCHEMA = "pfnstorm-mutate/1"


@dataclass
class MutationReport:
    """The mutants, and what the nets said of them.

    table       the explained mutants
    narrowed    whether the user named the nets: then a mutant that none of them reaches says nothing about the project
    """

    mutants: Sequence[Mutant]
    results: Results
    nets: Sequence[Net]
    table: dict[str, Survivor]
    narrowed: bool = False

    def verdict(self, mutant: Mutant) -> str:
        names = [net.name for net in self.nets if not net.brief and not net.false_alarm and mutant in net.mutants]
        return self.results.verdict(mutant, names)

    def exit_code(self) -> int:
        alarm = any(net.false_alarm for net in self.nets)
        unexplained = {self.verdict(each) for each in self.mutants if each.name not in self.table}
        if alarm or unexplained & ({SURVIVED} if self.narrowed else {SURVIVED, UNREACHED}):
            return EXIT_VIOLATED
        return EXIT_VACUOUS if unexplained & {UNTRIED, UNREACHED} else EXIT_CLEAN

    def lines(self) -> list[str]:
        """False alarms, the mutants that were not killed, those with a wrong explanation, and a table by kind."""
        lines = [f"FALSE ALARM of {net.name}: {net.false_alarm} in the kernels as they are" for net in self.nets if net.false_alarm]
        for mutant in self.mutants:
            verdict, why = self.verdict(mutant), self.table.get(mutant.name)
            if verdict != KILLED or (why and why.why == "equivalent"):
                lines.append(f"{verdict}{f', explained: {why.why}' if why else ''}: {mutant.name}")
        width = max(map(len, KINDS))
        title = "mutants  killed  survived  not reached  not tried  explained of these  the same here  killed of all  of those that differ"
        lines.append(f"{'kind'.ljust(width)}  {title}")
        of_kinds = {kind: [each for each in self.mutants if kind in (each.kind, "all")] for kind in (*KINDS, "all")}
        return lines + [self._line(kind.ljust(width), mutants) for kind, mutants in of_kinds.items()]

    def _line(self, title: str, mutants: Sequence[Mutant]) -> str:
        count = Counter(map(self.verdict, mutants))
        left_over = [why for each in mutants if self.verdict(each) != KILLED and (why := self.table.get(each.name))]
        same = sum(why.no_model_differs for why in left_over)
        killed = count[KILLED]
        left = f"{count[SURVIVED]:8}  {count[UNREACHED]:11}  {count[UNTRIED]:9}  {len(left_over):18}  {same:13}"
        shares = f"{_share(killed, len(mutants)):>13}  {_share(killed, len(mutants) - same):>20}"
        return f"{title}  {len(mutants):7}  {killed:6}  {left}  {shares}"

    def to_json(self) -> dict[str, Any]:
        entries = []
        for mutant in self.mutants:
            why, killer = self.table.get(mutant.name), self.results.killer(mutant)
            entries.append(
                {
                    "name": mutant.name,
                    **asdict(mutant),
                    "verdict": self.verdict(mutant),
                    "killed_by": asdict(killer) if killer else None,
                    "tried_by": sorted(self.results.trials.get(mutant.name, {})),
                    "explained": why.model_dump(exclude={"mutants"}) if why else None,
                }
            )
        alarms = {net.name: net.false_alarm for net in self.nets if net.false_alarm}
        return {"schema": SCHEMA, "sources": self.results.path.stem, "false_alarms": alarms, "mutants": entries}


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
