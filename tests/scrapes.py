"""What `/metrics` says, for tests of what it says."""

from __future__ import annotations

import re

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

Samples = dict[str, float]
"""By name and labels, as `name{a="b"}`, the labels in the order of their names."""


def families(http: httpx.Client) -> list[Metric]:
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return list(text_string_to_metric_families(answer.text))


def scrape(http: httpx.Client) -> Samples:
    return {_series(each): each.value for family in families(http) for each in family.samples}


def _series(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}"


def grown(before: Samples, after: Samples) -> Samples:
    """What is not as it was, and by how much."""
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}


def fleet_grown(before: Samples, after: Samples) -> Samples:
    """The same, of the jobs and what was done, but for how long it took."""
    took = re.compile(r'regrow_batch_duration_seconds_(sum|bucket{le="\d)')
    names = ("regrow_job", "regrow_queue", "regrow_outstanding", "regrow_batch", "regrow_patch")
    return {
        name: value for name, value in grown(before, after).items() if name.startswith(names) and not took.match(name)
    }
