"""The queue: what is sent, and the Celery settings that producer and consumer must agree on.

Messages carry a job id, a batch number and a version; never pixels or weights. Every task is idempotent, because
redelivery is normal.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from celery import Celery
from celery.exceptions import CeleryError
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from core.errors import ServiceUnavailable

MESSAGE_VERSION = 1

VISIBILITY_TIMEOUT = 600
"""Seconds after which Redis hands an unacknowledged message to another worker, whether or not the first still works
on it. Batches take at most about 60 s, so a tenth of this."""


class QueueName(StrEnum):
    """In the order in which workers look at them: finish what is begun before beginning more."""

    ASSEMBLE = "regrow.assemble"
    FIT = "regrow.fit"
    PLAN = "regrow.plan"


class TaskName(StrEnum):
    PLAN = "regrow.plan"
    FIT = "regrow.fit"
    ASSEMBLE = "regrow.assemble"


def broker_url(redis_url: str) -> str:
    """kombu's spelling of a Redis URL: `unix:///path?db=0` becomes `redis+socket:///path?virtual_host=0`."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parts.query.removeprefix("db=") or "0"
    return f"redis+socket://{parts.path}?virtual_host={database}"


def make_celery(redis_url: str) -> Celery:
    """The Celery application, for sending and for working."""
    app = Celery("regrow", broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(
        # JSON only: a pickle in the queue is refused, not run (checklist H10).
        task_serializer="json",
        accept_content=["json"],
        # Results are blobs; a result backend would only add load and keys that leak.
        task_ignore_result=True,
        # Acknowledge after the work, so that a lost worker's batch comes back.
        task_acks_late=True,
        # Batches are long: a worker must not sit on a second one that another could start.
        worker_prefetch_multiplier=1,
        # CUDA and fork do not mix, and the solo pool cannot answer pings; one thread per device.
        worker_pool="threads",
        worker_concurrency=1,
        # A thread cannot be killed, and a fit that a lost connection interrupted would only be done again.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Reconnect for ever, at the start as well: a broker that restarts must not end the fleet.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT,
            # Queues in the order of QueueName, not round robin.
            "queue_order_strategy": "priority",
            "socket_connect_timeout": 2,
            "socket_timeout": 10,
            # A worker that vanished without a FIN must not hold a socket open for ever.
            "socket_keepalive": not broker_url(redis_url).startswith("redis+socket"),
            "health_check_interval": 10,
        },
        # One exchange, a key per queue: Celery's default would bind every queue to the default queue's key.
        task_queues=[Queue(name, Exchange("regrow", type="direct"), routing_key=name) for name in QueueName],
        task_default_queue=QueueName.FIT,
        task_create_missing_queues=False,
        # Regrow's own logging, not Celery's.
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    return app


class Sender:
    """Puts messages on the queue. Every method raises ServiceUnavailable when the broker cannot be reached."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def plan(self, job_id: str) -> None:
        self._send(TaskName.PLAN, QueueName.PLAN, job_id=job_id)

    def fit(self, job_id: str, batch: int) -> None:
        self._send(TaskName.FIT, QueueName.FIT, job_id=job_id, batch=batch)

    def assemble(self, job_id: str) -> None:
        self._send(TaskName.ASSEMBLE, QueueName.ASSEMBLE, job_id=job_id)

    def _send(self, task: TaskName, queue: QueueName, **arguments: str | int) -> None:
        try:
            self._app.send_task(task, kwargs={"version": MESSAGE_VERSION, **arguments}, queue=queue, retry=False)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            raise ServiceUnavailable("the broker cannot be reached: try again in a few seconds") from error
