"""The parts of a worker that can be tested without processes: drawing roles, sizing batches."""

from collections import Counter

from stress.storm.workers import (
    BATCH_TARGET_MIN_NS,
    BATCH_TARGET_NS,
    NR_OPS_MAX,
    BatchSizes,
    RoleMixer,
    StopWord,
    batch_target_ns,
    next_nr_ops,
)


def drawn(seed, cpu, number=4000, weights=(3.0, 0.0, 1.0)):
    mixer = RoleMixer(weights, seed, cpu)
    return [mixer.draw() for _ in range(number)]


def test_the_same_seed_and_cpu_draw_the_same_roles():
    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)


def test_roles_come_by_weight():
    counted = Counter(drawn(1, 0))
    assert set(counted) == {0, 2}
    assert 2.5 < counted[0] / counted[2] < 3.6


def test_batches_approach_their_target():
    nr_ops, ns_per_op = 1, 250
    for _ in range(20):
        nr_ops = next_nr_ops(nr_ops, nr_ops * ns_per_op)
    assert nr_ops == BATCH_TARGET_NS // ns_per_op


def test_batches_stay_in_their_bounds():
    assert next_nr_ops(1, 0) == 2
    assert next_nr_ops(NR_OPS_MAX, 1) == NR_OPS_MAX
    assert next_nr_ops(5, 60 * BATCH_TARGET_NS) == 1


def test_stop_word():
    stop = StopWord()
    assert not stop.is_set()
    stop.set()
    assert stop.is_set()


def test_a_worker_starts_a_role_with_what_another_has_learned():
    sizes, nr_ops = BatchSizes(2), 1
    for _ in range(20):
        nr_ops = sizes.next(1)
        sizes.learn(1, nr_ops, nr_ops * 250)
    assert sizes.next(1) == BATCH_TARGET_NS // 250
    other = BatchSizes(2)
    other._shared = sizes._shared  # as a fork shares it
    assert other.next(1) == BATCH_TARGET_NS // 250
    assert other.next(0) == 1


def test_batches_of_crowded_workers_are_short():
    assert batch_target_ns(8, 2) == BATCH_TARGET_NS
    assert batch_target_ns(16, 2) == BATCH_TARGET_NS // 2
    assert batch_target_ns(1024, 2) == BATCH_TARGET_MIN_NS
