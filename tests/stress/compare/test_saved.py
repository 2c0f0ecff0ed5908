"""A saved comparison is read as it was written."""

import copy
import json

import pytest

from stress.compare.saved import as_saved, read_comparison
from stress.errors import UserError
from tests.stress.compare.canned import COMPARISON


def test_what_was_saved_is_read(tmp_path):
    path = tmp_path / "out.json"
    path.write_text(json.dumps(COMPARISON))
    read = read_comparison(path)
    assert read == as_saved(COMPARISON)
    figure = read.axes["refcount"].figure("get + put, own line, 1 worker")
    assert figure.interval("cas").median == 5.0
    assert figure.ratio_to_base["frozen-bit"].is_shown
    assert not read.axes["refcount"].figures[1].ratio_to_base["frozen-bit"].is_shown
    assert read.axes["refcount"].figure("another") is None
    assert read.where == "a processor, 2 cores, Linux 6"


@pytest.mark.parametrize("change", [{"schema": "pfnstorm-run/1"}, {"axes": 3}, {"host": None}])
def test_another_object_is_refused_with_its_key(tmp_path, change):
    path = tmp_path / "out.json"
    path.write_text(json.dumps(copy.deepcopy(COMPARISON) | change))
    with pytest.raises(UserError, match=f"{next(iter(change))}.*save it again"):
        read_comparison(path)
