"""Scenarios: what is accepted, and that each mistake is one line which names the file, the key and what is allowed."""

import pytest

from kernels.base.layout import NUMBERS
from stress.errors import UserError
from stress.storm.scenario import parse_policies, policy_params, read_scenario, shipped_scenarios

ROLES = ("anon", "kernel")
HEAD = 'name = "mine"\nsummary = "a test"\n'
GOOD = HEAD + "[roles]\nanon = 2\nkernel = 0\n"


def read(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return read_scenario(path, ROLES)


def test_weights_apply_to_every_worker(tmp_path):
    scenario = read(tmp_path, GOOD)
    assert scenario.weights_of(0) == scenario.weights_of(7) == {"anon": 2, "kernel": 0}


def test_mixes_repeat_over_the_workers(tmp_path):
    mixes = "[[workers]]\ncount = 2\nroles = { anon = 1 }\n[[workers]]\nroles = { kernel = 1 }\n"
    scenario = read(tmp_path, HEAD + mixes)
    assert [list(scenario.weights_of(worker)) for worker in range(4)] == [["anon"], ["anon"], ["kernel"], ["anon"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "not valid TOML"),
        ('name = "mine"\n[roles]\nanon = 1\n', "summary: Field required"),
        (HEAD, "either [roles], or [[workers]], or trace"),
        (HEAD + "[roles]\nanon = -1\n", "roles.anon: Input should be greater than or equal to 0 (is -1)"),
        (HEAD + "[roles]\nanon = nan\n", "roles.anon: "),
        (HEAD + "[roles]\nanon = 0\n", "roles: at least one weight must be above 0"),
        (HEAD + "[roles]\nzork = 1\n", "roles: unknown role 'zork'; known: anon, kernel"),
        (HEAD + "colour = 1\n[roles]\nanon = 1\n", "colour: unknown key; allowed here: name, summary, machine"),
        (GOOD + "[machine]\nnods = 2\n", "machine.nods: unknown key; allowed here: nodes, frame_bytes"),
        (GOOD + "[machine]\nframe_bytes = 100\n", "machine.frame_bytes: must be a power of two"),
        (GOOD + "[machine]\nmovable_nodes = -1\n", "machine.movable_nodes: "),
        (GOOD + "[fragmentation]\nfixed = 0.5\n", "fragmentation.movable: Field required"),
        (GOOD + "[fragmentation]\nmovable = 0.5\nfixed = 0.5\n", "fragmentation.fixed: unknown key; allowed here: movable, unmovable"),
        (GOOD + "[fragmentation]\nmovable = 0.5\nunmovable = 0.5\n", "fragmentation: movable, unmovable and reclaimable together take"),
        (GOOD + "[fragmentation]\nmovable = 0.1\npinned = 0.2\n", "fragmentation: only movable pages are pinned"),
        (GOOD + '[policy]\nmood = "good"\n', "policy: unknown policy 'mood'; known: "),
        (GOOD + '[policy]\nrefcount = "none"\n', "policy: unknown value 'none' of policy 'refcount'; known: "),
        (HEAD + 'meetings = ["tea"]\n[roles]\nanon = 1\n', "meetings: unknown meeting 'tea'; known: "),
        (HEAD + "[[workers]]\ncount = 0\nroles = { anon = 1 }\n", "workers.0.count: "),
    ],
)
def test_a_mistake_is_one_line(tmp_path, text, expected):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "mine.toml"))
    assert expected in message
    assert "\n" not in message


def test_policies_default_to_their_first_value():
    params = policy_params({})
    assert {name: params.pop(name) for name in NUMBERS} == {name: default for name, (*_, default) in NUMBERS.items()}
    assert set(params.values()) == {0}


def test_a_policy_that_is_a_number():
    assert policy_params(parse_policies(["migrate_batch=64"]))["migrate_batch"] == 64


NO_BATCHES = ("migrate_batch=0", "migrate_batch=513", "isolate_batch=x", "window_blocks=²")


@pytest.mark.parametrize("setting", ["migration", "mood=good", "migration=zig", *NO_BATCHES])
def test_a_wrong_policy_is_refused(setting):
    with pytest.raises(UserError, match="--set"):
        parse_policies([setting])


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_are_valid(name):
    assert read_scenario(shipped_scenarios()[name]).name == name
