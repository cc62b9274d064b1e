"""The queue of units in a real Valkey: leases, tries, splits, fairness."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from redis import Redis

from regrow.core.errors import VersionSkew
from regrow.core.jobs.messages import PROTOCOL, QueueName
from regrow.core.jobs.model import JobFailure, JobState, Priority
from regrow.core.jobs.queue import NOTHING_EXPIRED, Expired, WorkQueue
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.store import JobStore
from regrow.core.jobs.work_unit import MOST_TRIES, UnitKind, WorkUnit
from tests.claims import NODE, claim_next, room_for
from tests.jobs import job_document

BROKEN = JobFailure("internal-error", "it broke")


def _claim(queue: WorkQueue, most_cost: float = 4) -> WorkUnit:
    unit = claim_next(queue, most_cost)
    assert unit is not None
    return unit


def _end_lease(redis: Redis, unit: WorkUnit) -> None:
    """As if its time had passed."""
    redis.zadd("regrow:leases", {unit.lease: 1})


def test_every_patch_is_handed_out_once_in_batches_of_one_size(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(10)
    store.enter(document)
    units = [_claim(queue) for _ in range(3)]
    assert [list(unit.patches) for unit in units] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert claim_next(queue, 4) is None
    assert store.state(document.id) is JobState.FITTING


def test_a_job_that_is_alone_is_spread_over_the_workers(store: JobStore, queue: WorkQueue) -> None:
    store.enter(job_document(9))
    claim = claim_next(queue, 100, workers=3)
    assert claim is not None
    assert len(claim.patches) == 3


def test_costly_patches_make_small_batches(store: JobStore, queue: WorkQueue) -> None:
    store.enter(job_document(10, patch_cost=1e9))
    assert len(_claim(queue, 3.5e9).patches) == 3
    assert len(_claim(queue, 1).patches) == 1, "at least one"


def test_parts_count_once_and_the_last_makes_the_assembly(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(5)
    store.enter(document)
    first, second = _claim(queue, 3), _claim(queue, 3)
    for _ in range(2):
        assert queue.finish(first)
        assert store.get(document.id).patches_done == 3
    queue.finish(second)
    assert store.state(document.id) is JobState.ASSEMBLING
    queue.finish(second)
    assembly = _claim(queue)
    assert assembly.kind is UnitKind.ASSEMBLE
    assert claim_next(queue, 4) is None
    assert store.get(document.id).patches_done == 5


def test_many_finishers_at_once_leave_one_count(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(16)
    store.enter(document)
    units = [_claim(queue, 1) for _ in range(16)]
    threads = [threading.Thread(target=queue.finish, args=[unit]) for unit in units * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(document.id).patches_done == 16
    assert _claim(queue).kind is UnitKind.ASSEMBLE
    assert claim_next(queue, 4) is None


def test_a_lease_that_ends_is_handed_out_again_and_the_first_holder_told(
    store: JobStore, queue: WorkQueue, redis: Redis
) -> None:
    store.enter(job_document(4))
    lost = _claim(queue)
    assert queue.renew([lost]) == [True]
    assert queue.expire() == NOTHING_EXPIRED
    _end_lease(redis, lost)
    assert queue.expire() == Expired(leases=1, messages=0)
    assert queue.expire() == NOTHING_EXPIRED
    again = _claim(queue)
    assert (again.patches, again.tries) == (lost.patches, 2)
    assert queue.renew([lost, again]) == [False, True]
    assert not queue.hand_back(lost), "it is another's now"
    assert claim_next(queue, 4) is None


def test_handing_back_costs_no_try(store: JobStore, queue: WorkQueue) -> None:
    store.enter(job_document(4))
    for _ in range(3 * MOST_TRIES):
        unit = _claim(queue)
        assert unit.tries == 1
        assert queue.hand_back(unit)


def test_tries_that_come_further_do_not_count(store: JobStore, queue: WorkQueue) -> None:
    """F1: killed again and again, but each time later. It can be handed back, too, and then costs nothing less."""
    store.enter(job_document(4))
    for number in range(1, 3 * MOST_TRIES):
        unit = queue.progressed(_claim(queue), number)
        assert (unit.tries, unit.far) == (0, number)
        assert queue.renew([unit]) == [True]
        assert queue.hand_back(unit) if number % 3 == 0 else queue.fail(unit, BROKEN)


def test_tries_that_come_no_further_than_the_furthest_count(store: JobStore, queue: WorkQueue) -> None:
    """F8: a batch that dies late, wherever it began, is split as well."""
    store.enter(job_document(4))
    queue.fail(queue.progressed(_claim(queue), 500_000), BROKEN)
    for number in range(1, MOST_TRIES + 1):
        unit = queue.progressed(_claim(queue), 499_999 + number % 2)
        assert (unit.patches, unit.tries, unit.far) == (range(4), number, 500_000)
        queue.fail(unit, BROKEN)
    single = _claim(queue)
    assert (single.patches, single.tries, single.far) == (range(1), 1, 0)


def test_three_failures_split_a_batch_and_three_more_give_its_patch_up(store: JobStore, queue: WorkQueue) -> None:
    """F8: patch 2 breaks whatever it is in."""
    document = job_document(4)
    store.enter(document)
    tries: Counter[tuple[str, range]] = Counter()
    abandoned = None
    while (claim := claim_next(queue, 4)) is not None:
        unit = claim
        tries[unit.kind, unit.patches] += 1
        if unit.kind is UnitKind.ABANDON:
            abandoned = unit
            break
        if 2 in unit.patches:
            queue.fail(unit, BROKEN)
        else:
            queue.finish(unit)
    assert abandoned is not None
    assert list(abandoned.patches) == [2]
    assert tries == {
        (UnitKind.FIT, range(4)): 3,
        (UnitKind.FIT, range(1)): 1,
        (UnitKind.FIT, range(1, 2)): 1,
        (UnitKind.FIT, range(2, 3)): 3,
        (UnitKind.FIT, range(3, 4)): 1,
        (UnitKind.ABANDON, range(2, 3)): 1,
    }
    assert store.last_failure(document.id) == BROKEN
    assert store.state(document.id) is JobState.FITTING
    queue.finish(abandoned, failed=1)
    job = store.get(document.id)
    assert (job.patches_done, job.patches_failed) == (4, 1)
    assert _claim(queue).kind is UnitKind.ASSEMBLE


def test_a_late_whole_batch_and_its_split_patches_count_once(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(4)
    store.enter(document)
    for _ in range(MOST_TRIES):
        whole = _claim(queue)
        queue.fail(whole, BROKEN)
    single = _claim(queue)
    assert len(single.patches) == 1
    queue.finish(single)
    queue.finish(whole)  # the third holder was only slow
    assert store.get(document.id).patches_done == 4
    assert _claim(queue).kind is UnitKind.ASSEMBLE
    assert claim_next(queue, 4) is None


def test_a_small_worker_takes_a_bite_of_a_large_batch(store: JobStore, queue: WorkQueue) -> None:
    store.enter(job_document(100))
    queue.hand_back(_claim(queue, 100))
    sizes = []
    while (claim := claim_next(queue, 10)) is not None:
        sizes.append(len(claim.patches))
        queue.finish(claim)
    assert sum(sizes) == 100
    assert max(sizes) <= 20


def test_F19_batches_are_cut_by_the_speed_of_their_queue(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    """A CPU and a GPU share one job in proportion, and neither is sent more than it has room for."""
    document = job_document(900)
    store.enter(document)
    redis.hset(Key.QUEUES, mapping={QueueName.FIT_CPU: "1 10", QueueName.FIT_CUDA: "2 200"})
    patches: Counter[str] = Counter()
    left = queue.dispatch()
    assert Counter(unit.queue for unit in left) == {QueueName.FIT_CPU: 2, QueueName.FIT_CUDA: 3}
    assert left[0].queue == QueueName.FIT_CUDA, "the faster first"
    while left:
        unit = left.pop(0)
        assert queue.begin(unit, NODE)
        patches[unit.queue] += len(unit.patches)
        queue.finish(unit)
        left += queue.dispatch()
    assert patches.total() == 900
    assert patches[QueueName.FIT_CUDA] > 20 * patches[QueueName.FIT_CPU] > 0


def test_what_cannot_be_assembled_holds_up_no_fits(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    """Nor the other way round."""
    done, fresh = job_document(4), job_document(4)
    store.enter(done, parts=[range(4)])
    store.enter(fresh)
    redis.hset(Key.QUEUES, QueueName.FIT_CPU, "1 100")
    assert [unit.job_id for unit in queue.dispatch()] == [fresh.id]
    redis.delete(Key.QUEUES)
    redis.hset(Key.QUEUES, QueueName.ASSEMBLE, "1 100")
    assert [unit.job_id for unit in queue.dispatch()] == [done.id]


def test_a_job_that_comes_first_waits_for_one_message_a_worker(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    """A thousand that wait do not hold it up: they have no messages."""
    for _ in range(1000):
        store.enter(job_document(1))
    room_for(redis, slots=2)
    running = queue.dispatch()
    assert len(running) == 3, "two to begin, one to wait"
    store.enter(urgent := job_document(1, priority=Priority.HIGH))
    assert queue.begin(running[0], NODE)
    queue.finish(running[0])
    sent = queue.dispatch()
    assert urgent.id in {unit.job_id for unit in sent}


def test_claims_of_threads_do_not_overlap(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    store.enter(job_document(300))
    claimed: list[WorkUnit] = []

    room_for(redis, most_cost=1, slots=300)

    def take() -> None:
        while units := queue.dispatch(most=1):
            claimed.extend(units)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.start for claim in claimed) == list(range(300))


def test_owners_share_alike_whatever_they_send(store: JobStore, queue: WorkQueue) -> None:
    """A thousand patches of one owner do not hold up another's four, nor the other way round."""
    large, small = job_document(1000, owner="ada"), [job_document(4, owner="bob") for _ in range(3)]
    store.enter(large)
    first = [_claim(queue).job_id for _ in range(5)]
    assert set(first) == {large.id}
    for document in small:
        store.enter(document)
    then = [_claim(queue).job_id for _ in range(6)]
    assert Counter(job_id == large.id for job_id in then) == {True: 3, False: 3}


def test_priority_is_between_an_owners_own_jobs(store: JobStore, queue: WorkQueue) -> None:
    low, normal, high = (
        job_document(8, owner="ada", priority=priority) for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH)
    )
    other = job_document(8, owner="bob", priority=Priority.LOW)
    for document in (low, normal, high, other):
        store.enter(document)
    order = [_claim(queue).job_id for _ in range(8)]
    mine = [job_id for job_id in order if job_id != other.id]
    assert mine == [high.id, high.id, normal.id, normal.id, low.id, low.id]
    assert other.id in order[:3]


def test_small_jobs_pass_large_ones_of_the_same_owner_for_a_while(store: JobStore, queue: WorkQueue) -> None:
    large = job_document(1000)
    soon = job_document(4, created_ms=large.created_ms + 10_000)
    late = job_document(4, created_ms=large.created_ms + 2_000_000)
    for document in (large, late, soon):
        store.enter(document)
    assert _claim(queue).job_id == soon.id
    assert _claim(queue).job_id == large.id


def test_a_restored_job_hands_out_only_what_is_missing(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(10)
    store.enter(document, parts=[range(2, 4), range(3, 5), range(8, 9)])
    assert store.get(document.id).patches_done == 4
    handed = []
    while (claim := claim_next(queue, 2)) is not None and claim.kind is UnitKind.FIT:
        handed += claim.patches
        queue.finish(claim)
    assert handed == [0, 1, 5, 6, 7, 9]
    assert claim is not None
    assert claim.kind is UnitKind.ASSEMBLE


def test_a_job_with_all_its_parts_is_restored_to_its_assembly(store: JobStore, queue: WorkQueue) -> None:
    document = job_document(4)
    store.enter(document, parts=[range(4)])
    assert store.state(document.id) is JobState.ASSEMBLING
    assert _claim(queue).kind is UnitKind.ASSEMBLE


def test_a_worker_of_an_earlier_protocol_is_refused(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    """Also where somebody of its own protocol enters a job, as long as later ones are open."""
    first = job_document()
    store.enter(first)
    redis.set("regrow:protocol", PROTOCOL + 1)
    store.enter(second := job_document())
    with pytest.raises(VersionSkew, match="install one release on both"):
        claim_next(queue, 4)
    for document in (first, second):
        store.end(document.id, JobState.CANCELLED)
    store.enter(job_document())
    assert claim_next(queue, 4) is not None


def test_after_an_upgrade_jobs_on_the_way_go_on(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    """And workers that were not upgraded are refused from then on."""
    document = job_document(8)
    store.enter(document)
    redis.set("regrow:protocol", PROTOCOL - 1)
    redis.hset(f"regrow:job:{document.id}", "live:4", "0.500 0.12 4")  # of a worker that was killed, in protocol 3
    assert store.get(document.id).progress == 0.5 / 8
    assert claim_next(queue, 4) is not None
    assert redis.get("regrow:protocol") == str(PROTOCOL)


def test_a_job_that_lost_its_steps_is_found(store: JobStore, queue: WorkQueue, redis: Redis) -> None:
    document = job_document(4)
    store.enter(document)
    assert queue.stalled() == []
    unit = _claim(queue)
    assert queue.stalled() == []
    redis.zrem("regrow:leases", unit.lease)
    assert queue.stalled() == [document.id]


def test_who_sends_small_jobs_one_by_one_gets_no_more_than_a_share(store: JobStore, queue: WorkQueue) -> None:
    """An owner who never has two jobs waiting is charged for each all the same."""
    for number in range(3):
        store.enter(job_document(10_000, owner=f"patient-{number}"))
    served: Counter[str] = Counter()
    hasty = job_document(4, owner="hasty")
    store.enter(hasty)
    for _ in range(200):
        unit = _claim(queue)
        if unit.job_id == hasty.id:
            served["hasty"] += 1
            hasty = job_document(4, owner="hasty")
            store.enter(hasty)
        else:
            served["patient"] += 1
    assert 40 <= served["hasty"] <= 60


def test_giving_up_is_not_given_up(store: JobStore, queue: WorkQueue) -> None:
    """Its tries are counted, so that whoever gives up knows when it is the giving up that fails."""
    store.enter(job_document(1))
    for _ in range(MOST_TRIES):
        queue.fail(_claim(queue), BROKEN)
    tries = []
    for _ in range(5):
        unit = _claim(queue)
        assert unit.kind is UnitKind.ABANDON
        tries.append(unit.tries)
        queue.fail(unit, BROKEN)
    assert tries == [1, 2, 3, 4, 5]


def test_a_patch_that_was_done_after_all_is_not_given_up(store: JobStore, queue: WorkQueue) -> None:
    store.enter(job_document(1))
    for _ in range(MOST_TRIES):
        last = _claim(queue)
        queue.fail(last, BROKEN)
    abandon = _claim(queue)
    queue.finish(last)
    assert queue.renew([abandon]) == [False]
    queue.fail(abandon, BROKEN)
    assert _claim(queue).kind is UnitKind.ASSEMBLE


def test_no_two_leases_are_the_same(store: JobStore, queue: WorkQueue) -> None:
    """Whoever had a unit before it was tried anew cannot give back another's."""
    document = job_document(4)
    store.enter(document)
    first = _claim(queue)
    store.end(document.id, JobState.CANCELLED)
    store.enter(document)
    second = _claim(queue)
    assert (first.patches, first.tries) == (second.patches, second.tries)
    assert not queue.hand_back(first)
    queue.let_go(first)
    assert queue.renew([second]) == [True]
