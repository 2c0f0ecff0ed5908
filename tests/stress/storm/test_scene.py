"""What a record in the act, and a violation at rest, show of their frame."""

from pathlib import Path

import pytest

from kernels.alloc import release
from kernels.base import lock
from kernels.base.layout import (
    DESC_SHIFT,
    EV_OFFLINE_STATE,
    EV_PAGE_ALLOC,
    OFF_INFLATED,
    OFF_ISOLATED,
    RING_EVENTS,
    Bug,
    Geometry,
    Type,
)
from kernels.base.site import site_number
from stress.checkers import Violation
from stress.machine.segment import create_machine
from stress.storm.scene import CPU_EVENTS_SHOWN, SCENES_SHOWN, cpu_lines, event_lines, frame_lines, read_bugs, site_text, with_scenes

SMALL = Geometry(nr_cpus=2, frames_per_node=512, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16)


@pytest.fixture
def mem():
    return create_machine(SMALL, {"cycles_per_us": 1000})


def record(mem, **words):
    mem.arrays["bug_count"][0] += 1
    slot = int(mem.arrays["bug_count"][0]) - 1
    for name, word in words.items():
        mem.arrays[f"bug_{name}"][slot] = word


def event(mem, cpu, cycles, code, pfn, result):
    slot = cpu * RING_EVENTS + int(mem.arrays["ring_head"][cpu])
    for name, word in {"cycles": cycles, "event": code, "pfn": pfn, "result": result}.items():
        mem.arrays[f"ring_{name}"][slot] = word
    mem.arrays["ring_head"][cpu] += 1


def test_a_record_names_role_kernel_and_line_and_labels_its_words(mem):
    mem.arrays["cpu_role"][1] = 1
    record(mem, code=int(Bug.BAD_FREE), cpu=1, pfn=7, seen=2, wanted=4, site=site_number(f"{release.__name__}.release_desc"))
    found = read_bugs(mem, ["anon", "balloon"])[0]
    assert found.words == {"flags": 2, "mapcount": 4}
    assert "worker 1 in role balloon" in found.message
    assert "kernels/alloc/release.py:" in found.message
    assert "release_desc()" in found.message
    assert found.scene[0].startswith("pfn 7: ")


def test_the_line_is_that_of_the_call():
    text = site_text(site_number("kernels.base.lock.spin_unlock"), Bug.LOCK_OWNER)
    path, _, rest = text.partition(":")
    line = int(rest.split()[0])
    assert path == "kernels/base/lock.py"
    assert "bug(mem, cpu, BUG_LOCK_OWNER" in Path(lock.__file__).read_text().splitlines()[line - 1]


def test_a_lock_is_named_and_has_no_frame(mem):
    record(mem, code=int(Bug.LOCK_OWNER), cpu=0, pfn=0, seen=0, wanted=1)
    found = read_bugs(mem)[0]
    assert "zone lock of node 0" in found.message
    assert found.scene == ()


def test_an_unknown_code_is_no_error(mem):
    record(mem, code=999, cpu=0, pfn=1 << 50)
    assert read_bugs(mem)[0].checker == "bug:CODE_999"


def test_a_frame_shows_its_descriptor_and_the_events_of_all_cpus_in_order(mem):
    mem.arrays["memdesc"][40] = Type.ANON | 5 << DESC_SHIFT
    event(mem, 1, 5000, EV_OFFLINE_STATE, 40, OFF_INFLATED << 8 | OFF_ISOLATED)
    event(mem, 0, 3000, EV_PAGE_ALLOC, 40, 2)
    event(mem, 0, 9000, EV_PAGE_ALLOC, 41, 0)
    lines = frame_lines(mem, 40)
    assert lines[0].startswith("pfn 40: ANON desc 5 (memdesc ")
    assert lines[1].startswith("descriptor 5: ")
    assert [line.split() for line in lines[2:]] == [
        ["-2.0", "us", "cpu", "0", "mm_page_alloc", "order", "2"],
        ["-0.0", "us", "cpu", "1", "offline_state", "INFLATED", "->", "ISOLATED"],
    ]
    assert event_lines(mem, 42) == ["no event about it in the flight recorders"]


@pytest.mark.parametrize("pfn", [-1, 1 << 40])
def test_a_pfn_outside_the_machine_has_no_scene(mem, pfn):
    assert frame_lines(mem, pfn) == []


def test_the_first_frames_at_rest_have_a_scene(mem):
    found = with_scenes(mem, [Violation("I1", "a"), *(Violation("I1", "a", pfn=pfn) for pfn in (3, 3, 4, 5, 6))])
    assert [bool(each.scene) for each in found] == [False, True, False, True, True, False]
    assert SCENES_SHOWN == 3


def test_the_last_events_of_a_cpu_say_what_it_was_doing(mem):
    assert cpu_lines(mem, 0) == []
    assert cpu_lines(mem, -1) == []
    for number in range(CPU_EVENTS_SHOWN + 2):
        event(mem, 1, 1000 * number, EV_PAGE_ALLOC, number, 0)
    lines = cpu_lines(mem, 1)
    assert lines[0] == "last events of cpu 1:"
    assert [int(line.rpartition("pfn ")[2]) for line in lines[1:]] == list(range(2, CPU_EVENTS_SHOWN + 2))
