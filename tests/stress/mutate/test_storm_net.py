"""A scenario as a net: which endings are findings."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from stress.mutate import storm_net
from stress.mutate.alive import REACHED
from stress.mutate.storm_net import Storming, StormNet, storm_once


@pytest.fixture
def ending(monkeypatch):
    """Let storms end like this on a machine whose kernels asked for the mutants 2 and 5."""

    def end_with(verdict, *nets):
        asked = np.zeros(8, np.int64)
        asked[[2, 5]] = 1
        result = {"verdict": verdict, "violations": [{"checker": net} for net in nets]}

        def perform(options, on_machine):
            on_machine(SimpleNamespace(arrays={REACHED: asked}))
            return result

        monkeypatch.setattr(storm_net, "perform", perform)

    return end_with


@pytest.mark.parametrize("verdict", ["clean", "vacuous"])
def test_a_storm_that_shows_nothing_finds_nothing(ending, verdict):
    ending(verdict)
    assert storm_once("zoo", 1.0, ()) == Storming(None, "", [2, 5])


@pytest.mark.parametrize(
    ("verdict", "nets", "found"),
    [("violated", ("tlb", "bug:LOST_WRITE", "tlb"), "bug:LOST_WRITE, tlb"), ("stalled", (), "stalled"), ("died", (), "died")],
)
def test_every_other_ending_is_a_finding_by_its_nets_or_its_verdict(ending, verdict, nets, found):
    ending(verdict, *nets)
    assert storm_once("storm", 1.0, ("migration=list",)) == Storming(found, "storm migration=list", [2, 5])


def net(monkeypatch):
    monkeypatch.setattr(storm_net, "import_all_entries", lambda packages: None)
    monkeypatch.setattr(storm_net, "build_storm_entries", lambda: None)
    return StormNet("zoo", 1.0, ())


def test_the_answer_of_a_storm(ending, monkeypatch):
    ending("violated", "lru")
    answer = net(monkeypatch).answer({"mutant": 3})
    assert (answer.found, answer.by, answer.number, list(answer.reached)) == ("lru", "zoo", 0, [2, 5])


def test_a_storm_that_takes_its_process_with_it_is_a_finding(monkeypatch):
    monkeypatch.setattr(storm_net, "perform", lambda options, on_machine: os._exit(9))
    assert net(monkeypatch).answer({"mutant": 3}).found == "died"
