"""The metrics of `/metrics`: this process's own, and, read from Redis when they are asked for, the fleet's.

Every label has few values: a request counts by its route's template, never by its path. docs/OPERATIONS.md lists them.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from regrow.api.cache import ByteCache
from regrow.core.errors import RegrowError
from regrow.core.jobs.counters import Counters, Counts
from regrow.core.jobs.workers import WorkerRecord, WorkerRegistry

REQUEST_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DECODE_BOUNDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds, each the upper bound of a bucket."""

ENGINES = ("cuda", "numba", "torch")
"""The names in core.codec.fit.engines, which the API does not import. Listed so that one without workers shows 0."""

Value = TypeVar("Value", bound=str)
"""The type of a label's values, such as an enumeration of strings."""

disable_created_metrics()  # else each counter has a second series, of when it began


class Metrics:
    """What one API process counts, and where everything that it exports is registered. Thread-safe."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "regrow_http_requests", "Requests answered", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "regrow_http_request_duration_seconds",
            "From a request's headers to those of its answer",
            ("method", "route"),
            buckets=REQUEST_BOUNDS,
            registry=registry,
        )
        self.problems = Counter("regrow_problems", "Answers of problem+json", ("type",), registry=registry)
        self.decode_seconds = Histogram(
            "regrow_decode_duration_seconds",
            "Regrowing a picture and writing the file, without the wait for a core",
            ("kind",),
            buckets=DECODE_BOUNDS,
            registry=registry,
        )


class CacheCollector(Collector):
    """Exports the hits and misses of caches. caches: by the name that labels them."""

    def __init__(self, caches: Mapping[str, ByteCache]) -> None:  # type: ignore[type-arg]
        self._caches = caches

    def collect(self) -> Iterator[Metric]:
        hits = CounterMetricFamily("regrow_cache_hits", "Values that were there, or being made", labels=("cache",))
        misses = CounterMetricFamily("regrow_cache_misses", "Values that had to be made", labels=("cache",))
        for name, cache in self._caches.items():
            hits.add_metric((name,), cache.hits)
            misses.add_metric((name,), cache.misses)
        yield from (hits, misses)


class FleetCollector(Collector):
    """Exports what Redis knows of jobs and workers; while Redis does not answer, only that it does not."""

    def __init__(self, counters: Counters, workers: WorkerRegistry) -> None:
        self._counters, self._workers = counters, workers

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("regrow_redis_up", "Whether Redis answers; if not, nothing of the fleet is exported")
        try:
            counts, workers = self._counters.read(), self._workers.alive()
        except RegrowError:
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield up
        yield from _now(counts, workers)
        yield from _so_far(counts)


def _now(counts: Counts, workers: Iterable[WorkerRecord]) -> Iterator[Metric]:
    yield _gauge("regrow_jobs", "Jobs that have not ended", "state", counts.jobs)
    yield _gauge("regrow_queue_jobs", "Jobs with steps to hand out", "priority", counts.waiting)
    yield GaugeMetricFamily("regrow_outstanding_patches", "Patches accepted and not done", counts.outstanding)
    alive = dict.fromkeys(ENGINES, 0) | Tally(worker.engine for worker in workers)
    yield _gauge("regrow_workers", "Workers that are alive", "engine", alive)


def _so_far(counts: Counts) -> Iterator[Metric]:
    yield _counter("regrow_jobs_ended", "Jobs that have ended", "state", counts.ended)
    yield _counter("regrow_job_failures", "Jobs that have failed", "type", counts.failed)
    batches = HistogramMetricFamily("regrow_batch_duration_seconds", "Fitting a worker's batch of patches")
    batches.add_metric((), list(counts.batches.items()), counts.batch_seconds)
    yield batches
    yield CounterMetricFamily("regrow_patch_iterations", "Training iterations, times patches", counts.patch_iterations)


def _gauge(name: str, text: str, label: str, values: Mapping[Value, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[Value, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
