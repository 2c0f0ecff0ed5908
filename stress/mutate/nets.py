"""A net as a server, in a process that runs in a woven copy: `python -m stress.mutate.nets ...`

    explore MODEL SCALE                     one model, SCALE times the schedules of explore_net
    storm SCENARIO SECONDS [POLICY=VALUE]   a small storm
    detect MODEL                            trials of a model

Each line of JSON on standard input is a request of messages.py, and is answered by a line on standard output. A finding in mutant
UNCHANGED, the kernels as they are, is a false alarm. So is one in RECORD, which also reports the mutants that the kernels asked for:
no other mutant can make a difference to this net.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TextIO

from stress.mutate.messages import DetectAnswer, NetAnswer
from stress.process.child import die_with


class ServedNet(Protocol):
    """What answers the requests."""

    def answer(self, request: dict[str, Any]) -> NetAnswer | DetectAnswer: ...


def net_of(kind: str, name: str, words: Sequence[str]) -> ServedNet:
    """The net that a command line names. Its kernels are imported here, after the flavour is chosen."""
    os.environ["PFNSTORM_FLAVOUR"] = "checked" if kind == "storm" else "explored"
    if kind == "explore":
        from stress.mutate.explore_net import ExploreNet

        return ExploreNet(name, float(words[0]))
    if kind == "detect":
        from stress.mutate.detect_net import DetectNet

        return DetectNet(name)
    from stress.mutate.storm_net import StormNet

    return StormNet(name, float(words[0]), words[1:])


def serve(net: ServedNet, requests: TextIO, answers: TextIO) -> None:
    """Answer requests until they end."""
    for line in requests:
        print(json.dumps(asdict(net.answer(json.loads(line)))), file=answers, flush=True)


def main(words: Sequence[str]) -> None:
    """Serve. Answers go to what was standard output; what a storm prints goes to /dev/null."""
    die_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals the whole group; the command stops its servers
    answers = os.fdopen(os.dup(1), "w")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    kind, name, *more = words
    serve(net_of(kind, name, more), sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
