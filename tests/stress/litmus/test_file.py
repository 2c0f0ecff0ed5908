"""The format of litmus tests, and the enumeration that verifies the explorer: plain Python, nothing compiled."""

import json

import pytest

from stress.errors import UserError
from stress.litmus.command import CLASSICS
from stress.litmus.file import MAX_STORES, MAX_THREADS, MAX_VARIABLES, parse_test, read_tests
from stress.litmus.final_states import final_states

SB = {"name": "SB", "threads": [[["W", "x", 1], ["R", "y", "eax"]], [["W", "y", 1], ["R", "x", "EAX"]]], "exists": "0:rax=0 /\\ 1:eax=0"}


def allows(test, model):
    found = final_states(test.threads, test.initial, model)
    assert found
    return any(test.exists(*test.named(*final)) for final in found)


@pytest.mark.parametrize("model", ["sc", "tso", "pso"])
def test_the_verdicts_of_the_classics_are_those_of_the_enumeration(model):
    tests = read_tests(CLASSICS)
    assert len(tests) >= 40
    for test in tests:
        assert test.verdicts[model] == ("allowed" if allows(test, model) else "forbidden"), test.name


def test_each_model_allows_more_than_the_one_before():
    for test in read_tests(CLASSICS):
        sc, tso, pso = (final_states(test.threads, test.initial, model) for model in ("sc", "tso", "pso"))
        assert sc <= tso <= pso, test.name


def test_an_enumeration_that_is_too_large_is_given_up():
    test = parse_test(SB)
    assert final_states(test.threads, test.initial, "tso", max_states=5) is None


@pytest.mark.parametrize(
    ("exists", "wanted"),
    [
        ("0:eax=0 /\\ 1:eax=0", True),
        ("0:RAX=1 \\/ 1:rax=1 /\\ x=0", False),  # /\ binds closer
        ("(0:eax=0 \\/ 1:eax=1) /\\ [x]=1", True),
        ("~0:eax=1 /\\ ~(1:eax=1 \\/ y=5)", True),
        ("~~[x]=1", True),
        ("[ x ]=-1", False),
    ],
)
def test_conditions(exists, wanted):
    test = parse_test(SB | {"exists": exists})
    assert test.exists(*test.named((1, 1), ((0,), (0,)))) is wanted


def test_a_register_holds_what_was_loaded_last():
    test = parse_test({"name": "n", "threads": [[["R", "x", "r8"], ["XCHG", "x", 3, "R8"]]], "init": {"x": 2**63 - 1}, "exists": "0:r8=1"})
    assert test.named((3,), ((1, 2),)) == ({"x": 3}, ({"r8": 2},))
    assert test.initial == (2**63 - 1,)


MISTAKES = [
    ({"name": ""}, "name"),
    ({"name": 3}, "name"),
    ({"threads": []}, "threads: 0"),
    ({"threads": [[]] * (MAX_THREADS + 1)}, f"threads: {MAX_THREADS + 1}"),
    ({"threads": {"0": []}}, "threads"),
    ({"threads": [["W", "x", 1]]}, "thread 0, operation 0: 'W'"),
    ({"threads": [[["Q", "x"]]]}, "is not an operation"),
    ({"threads": [[[["W"], 1]]]}, "is not an operation"),
    ({"threads": [[["W", "x", 1, ["release"]]]]}, "no ordering ['release']"),
    ({"exists": f"x={2**63}"}, "is not a 64-bit number"),
    ({"exists": f"0:eax={2**63}"}, "is not a 64-bit number"),
    ({"threads": [[["W", "x"]]]}, "must be ['W', 'variable', 'value']"),
    ({"threads": [[["R", "x", "eax", 1, 2]]]}, "must be"),
    ({"threads": [[["F", "x", "y"]]]}, "must be ['F']"),
    ({"threads": [[["W", "x", "eax"]]]}, "'eax' is not a 64-bit number"),
    ({"threads": [[["W", "x", True]]]}, "True is not a 64-bit number"),
    ({"threads": [[["W", "x", 2**63]]]}, "is not a 64-bit number"),
    ({"threads": [[["W", "x", 1, "acquire"]]]}, "no ordering 'acquire'; known: relaxed, release"),
    ({"threads": [[["R", "x", "eax", "acquire"]]]}, "no ordering 'acquire'; known: none"),
    ({"threads": [[["W", 7, 1]]]}, "7 is not a name"),
    ({"threads": [[["R", "x", "e ax"]]]}, "'e ax' is not a name"),
    ({"threads": [[["W", "x", k] for k in range(MAX_STORES + 1)]]}, f"{MAX_STORES + 1} stores"),
    ({"threads": [[["R", "x", "eax"]] * 65]}, "65 operations"),
    ({"init": {f"v{k}": 0 for k in range(MAX_VARIABLES + 1)}}, f"{MAX_VARIABLES + 3} variables"),
    ({"init": {"x": 1.5}}, "init: x"),
    ({"init": {"0:eax": 1}}, "init: '0:eax' is not a name"),
    ({"init": [0]}, "init"),
    ({"tso": "maybe"}, "tso: 'maybe'"),
    ({"sc": 1}, "sc: 1"),
    ({"exists": 5}, "exists: 5"),
    ({"exists": ""}, "ends too early"),
    ({"exists": "0:eax=0 /\\"}, "ends too early"),
    ({"exists": "0:eax=0 1:eax=0"}, "exists"),
    ({"exists": "(0:eax=0"}, "not closed"),
    ({"exists": "0:eax=0)"}, "')' is out of place"),
    ({"exists": "0:eax==0"}, "cannot read"),
    ({"exists": "[x=1"}, "cannot read"),
    ({"exists": "exists (x=1)"}, "cannot read"),
    ({"exists": "z=1"}, "no variable 'z'; known: x, y"),
    ({"exists": "2:eax=1"}, "no thread 2"),
    ({"exists": "0:ebx=1"}, "thread 0 loads no register 'ebx'; it loads eax"),
]


@pytest.mark.parametrize(("change", "said"), MISTAKES, ids=[str(k) for k in range(len(MISTAKES))])
def test_a_mistake_is_one_line_with_file_and_test(change, said, tmp_path):
    path = tmp_path / "tests.json"
    path.write_text(json.dumps({"tests": [SB, {"name": "second"} | {k: v for k, v in SB.items() if k != "name"} | change]}))
    with pytest.raises(UserError) as caught:
        read_tests(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["name", "threads", "exists"])
def test_a_missing_field_is_named(missing):
    with pytest.raises(ValueError, match=missing):
        parse_test({k: v for k, v in SB.items() if k != missing})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tests": []}', '{"tests": {}}', "[" * 5000, '{"tests": [7]}', '{"tests": [[]]}'])
def test_what_is_no_file_of_tests_is_refused(text, tmp_path):
    path = tmp_path / "tests.json"
    path.write_text(text)
    with pytest.raises(UserError):
        read_tests(path)


def test_a_name_twice_is_refused(tmp_path):
    path = tmp_path / "tests.json"
    path.write_text(json.dumps({"tests": [SB, SB]}))
    with pytest.raises(UserError, match="another test of this name"):
        read_tests(path)


def test_ignored_fields_are_reported(tmp_path):
    path, said = tmp_path / "tests.json", []
    path.write_text(json.dumps({"tests": [SB | {"intit": {"x": 1}, "_where": "here", "source": {}}]}))
    read_tests(path, said.append)
    assert len(said) == 1
    assert "intit" in said[0]
    assert "_where" not in said[0]
