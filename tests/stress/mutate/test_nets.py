"""A net as a server: a line is answered by a line."""

import io
import json

from stress.mutate.messages import MutantRequest, NetAnswer
from stress.mutate.nets import serve


class Parrot:
    """A net that finds the number that it is asked about."""

    def answer(self, request):
        return NetAnswer(str(MutantRequest(**request).mutant), "sc pos", 3, 0.5, (1, 2))


def test_each_request_is_answered_by_one_line():
    answers = io.StringIO()
    serve(Parrot(), io.StringIO('{"mutant": 4}\n{"mutant": 5}\n'), answers)
    lines = [NetAnswer(**json.loads(line)) for line in answers.getvalue().splitlines()]
    assert [line.found for line in lines] == ["4", "5"]
    assert (lines[0].by, lines[0].number, lines[0].seconds, list(lines[0].reached)) == ("sc pos", 3, 0.5, [1, 2])
