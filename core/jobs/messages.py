"""The messages that wake workers, and the Celery settings that producer and consumer must agree on.

A message says that there is work, and which protocol it is of; what there is to do, the woken worker claims from the
queue of work units (core.jobs.queue, docs/adr/0006). So a message that is lost, late or doubled does no harm.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from celery import Celery
from celery.exceptions import CeleryError
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from regrow.core.errors import ServiceUnavailable

PROTOCOL = 5
"""Of messages, documents and keys in Redis. A process goes on with an earlier one's, and refuses a later one's."""

VISIBILITY_TIMEOUT = 600
"""Seconds after which Redis hands an unacknowledged message to another worker."""


class QueueName(StrEnum):
    """The queues of messages; each is a key in Redis."""

    WORK = "regrow.work"


class TaskName(StrEnum):
    """What a message asks for."""

    WORK = "regrow.work"


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
        # JSON only: a pickle in the queue is refused, not run.
        task_serializer="json",
        accept_content=["json"],
        # Results are blobs; a result backend would only add load and keys that leak.
        task_ignore_result=True,
        # Acknowledge after the work: with a prefetch of one, a busy worker then holds no message that wakes another.
        task_acks_late=True,
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
            "socket_connect_timeout": 1,
            "socket_timeout": 10,
            # A worker that vanished without a FIN must not hold a socket open for ever.
            "socket_keepalive": not broker_url(redis_url).startswith("redis+socket"),
            "health_check_interval": 10,
        },
        # One exchange, a key per queue: Celery's default would bind every queue to the default queue's key.
        task_queues=[Queue(name, Exchange("regrow", type="direct"), routing_key=name) for name in QueueName],
        task_default_queue=QueueName.WORK,
        task_create_missing_queues=False,
        # Regrow's own logging, not Celery's.
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    return app


class Sender:
    """Puts messages on the queue."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def wake(self) -> None:
        """Wake a worker. Raises ServiceUnavailable when the broker cannot be reached."""
        try:
            self._app.send_task(TaskName.WORK, kwargs={"protocol": PROTOCOL}, queue=QueueName.WORK, retry=False)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            raise ServiceUnavailable("the broker cannot be reached: try again in a few seconds") from error
