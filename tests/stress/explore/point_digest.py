"""What schedules of a model pass, as a digest, in the engine of the environment: `point_digest MODEL NR_SCHEDULES`."""

import hashlib
import json
import sys

from stress.explore import state
from stress.explore.arguments import is_for
from stress.explore.engine import Engine
from stress.explore.models import known_models
from stress.explore.strategies import CHOOSABLE
from tests.stress.explore import livelock_model


def digests(name, nr_schedules):
    """By memory model and strategy: a digest of every step with its words, of results, states and verdicts."""
    found, models = {}, known_models() | {"livelock": livelock_model.MODEL}
    for memory in ("sc", "tso", "rmo"):
        engine = Engine(models[name], memory)
        for strategy in (each for each in CHOOSABLE if is_for(each, memory)):
            engine.begin(strategy, 7)
            digest = hashlib.sha256()
            for number in range(nr_schedules):
                engine.words[state.LOGGING] = 1
                engine.explore(number, 1)
                digest.update(repr((engine.steps(), engine.results(), engine.verdict, int(engine.words[state.HASH]))).encode())
            found[f"{memory} {strategy}"] = digest.hexdigest()
        engine.close()
    return found


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1], int(sys.argv[2]))))
