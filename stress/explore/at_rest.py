"""The judges of a final state: the model's oracle, and the checkers of stress/checkers."""

from typing import Any

from stress.checkers import check_all
from stress.explore.diagnosis import AT_REST, Found
from stress.explore.linearizability import RecordedCall, history_of, not_linearizable
from stress.explore.model import Model


class RestJudge:
    """Judges the final states of one machine, and remembers the histories that the oracle has judged."""

    def __init__(self, mem: Any, model: Model) -> None:
        self._mem, self._model = mem, model
        self._judged: dict[tuple[RecordedCall, ...], tuple[RecordedCall, ...] | None] = {}

    def found(self) -> Found | None:
        """What is wrong with the state in which the machine is now, or None."""
        found = self._not_linearizable()
        if found is not None or not self._model.at_rest:
            return found
        violations = check_all(self._mem)
        if not violations:
            return None
        first = violations[0]
        cpu = first.cpus[0] if first.cpus else -1
        words = ", ".join(f"{name} {word}" for name, word in first.words.items())
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        return Found(AT_REST, first.checker, first.invariant, cpu, first.pfn, message=f"{first.message}: {words}{more}")

    def _not_linearizable(self) -> Found | None:
        """What the model's oracle says about the history of the last schedule."""
        oracle = self._model.oracle
        if oracle is None:
            return None
        history = history_of(self._mem.arrays, self._model.nr_cpus, oracle)
        if history not in self._judged:
            self._judged[history] = not_linearizable(history, oracle)
        guilty = self._judged[history]
        if guilty is None:
            return None
        calls = ", ".join(f"{each} from {each.invoked} to {each.returned}" for each in sorted(guilty, key=lambda each: each.invoked))
        return Found(AT_REST, "linearizability", oracle.invariant, message=f"no sequential order gives these results: {calls}")
