"""The crew on work without kernels: slices, phases, failures. A process of its own forks, since pytest's may have threads."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAD = """
import mmap, os, time
import numpy as np
from stress.measure.crew import Crew, CrewError, TimedCell

def spin(mem, cpu, nr_ops):
    total = 0
    for op in range(nr_ops):
        total += op
    return nr_ops

def crew_of(*cells):
    return Crew(cells, sorted(os.sched_getaffinity(0)) * 2, part_ns=50_000)

def cell(workers=1, operation=spin, **more):
    return TimedCell("a cell", workers, operation, None, spin, None, **more)
"""


def run(body):
    done = subprocess.run(
        [sys.executable, "-c", HEAD + body], cwd=ROOT, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_head_is_understood():
    compile(HEAD, "head", "exec")


@pytest.mark.slow
def test_a_slice_compares_a_cell_with_its_calibration():
    out = run(
        "def twice(mem, cpu, nr_ops):\n    return spin(mem, cpu, 2 * nr_ops) // 2\n"
        "with crew_of(cell(operation=twice), cell()) as crew:\n"
        "    for index in (0, 1): crew.size(index)\n"
        "    taken = [[crew.slice(index) for index in (0, 1)] for _ in range(15)]\n"
        "for index in (0, 1): print(np.median([s[index].cell_ns / s[index].calibration_ns for s in taken]))\n"
    )
    twice, same = map(float, out.split())
    assert 1.5 < twice / same < 2.7


@pytest.mark.slow
def test_workers_are_released_together_and_a_second_phase_begins_when_all_have_ended_the_first():
    out = run(
        "words = np.frombuffer(mmap.mmap(-1, 4096), np.int64)\n"
        "def fill(mem, cpu, nr_ops):\n    time.sleep(0.002 * cpu)\n    words[cpu] = words[8] = 1\n    return nr_ops\n"
        "def look(mem, cpu, nr_ops):\n    words[16 + cpu] += words[1 - cpu]\n    return nr_ops\n"
        "def clear(mem, cpu):\n    words[cpu] = 0\n"
        "with crew_of(cell(2, fill, then=look, after=clear, batch=1)) as crew:\n    s = crew.slice(0)\n"
        "print(words[16], words[17], s.nr_ops)\n"
    )
    first, second, nr_ops = map(int, out.split())
    assert first == second == nr_ops // 2 > 0  # each look saw what the other had filled


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_operation_is_an_error_and_the_crew_continues(workers):
    out = run(
        "def fail(mem, cpu, nr_ops):\n    return nr_ops - (cpu == 0)\n"
        f"with crew_of(cell({workers}, fail), cell({workers})) as crew:\n"
        "    try:\n        crew.slice(0)\n    except CrewError as error:\n        print(error)\n"
        "    print(crew.slice(1).nr_ops > 0)\n"
    )
    assert out.splitlines() == ["a cell: operations failed", "True"]


@pytest.mark.slow
def test_a_dead_worker_is_an_error():
    out = run(
        "def die(mem, cpu, nr_ops):\n    os._exit(9)\n"
        "with crew_of(cell(1, die)) as crew:\n    try:\n        crew.slice(0)\n    except CrewError as error:\n        print(error)\n"
    )
    assert out == "a cell: worker 0 died\n"


@pytest.mark.slow
def test_a_calibration_that_fails_is_an_error():
    """A calibration that returns early would make every ratio huge."""
    out = run(
        "def early(mem, cpu, nr_ops):\n    return 0\n"
        "broken = TimedCell('a cell', 1, spin, None, early, None)\n"
        "with crew_of(broken) as crew:\n    try:\n        crew.slice(0)\n    except CrewError as error:\n        print(error)\n"
    )
    assert out == "a cell: operations failed\n"
