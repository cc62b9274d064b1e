"""The messages of the steps of jobs, one a step, and the Celery settings that producer and consumer must agree on.

A message names a work unit that was handed out (core.jobs.queue, docs/adr/0012): ids and numbers, never pixels or
weights. Redis knows the unit as well, so a message that is lost, late or doubled does no harm.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import urlsplit

from celery import Celery
from celery.exceptions import CeleryError
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from regrow.core.errors import ServiceUnavailable, VersionSkew
from regrow.core.jobs.work_unit import UnitKind, WorkUnit
from regrow.core.version import VERSION

PROTOCOL = 6
"""Of messages, documents and keys in Redis. A process goes on with an earlier one's, and refuses a later one's."""

VISIBILITY_TIMEOUT = 600
"""Seconds after which Redis hands an unacknowledged message to another worker, which finds it stale."""


class QueueName(StrEnum):
    """The queues of messages, by what their workers can do; each is a key in Redis."""

    FIT_CPU = "regrow.fit.cpu"
    FIT_CUDA = "regrow.fit.cuda"
    ASSEMBLE = "regrow.assemble"


def queues_of(engine: str) -> tuple[QueueName, ...]:
    """What a worker takes from unless told otherwise. engine: as in core.codec.fit.engines."""
    return (QueueName.FIT_CUDA if engine == "cuda" else QueueName.FIT_CPU, QueueName.ASSEMBLE)


def task_of(kind: UnitKind) -> str:
    """The name of the Celery task that does units of a kind: `regrow.fit`, `regrow.assemble`, `regrow.abandon`."""
    return f"regrow.{kind}"


def message_of(unit: WorkUnit) -> dict[str, str | int]:
    """The arguments of the unit's task."""
    return {
        "protocol": PROTOCOL,
        "job": unit.job_id,
        "start": unit.start,
        "stop": unit.stop,
        "tries": unit.tries,
        "far": unit.far,
        "number": unit.number,
    }


def unit_of_message(kind: UnitKind, queue: str, message: dict[str, str | int]) -> WorkUnit:
    """The unit that a message of this or an earlier protocol names. queue: that it came from.

    Raises VersionSkew, and KeyError or ValueError for what this service never sends.
    """
    if int(message["protocol"]) > PROTOCOL:
        raise later_protocol(int(message["protocol"]))
    start, stop, tries, far, number = (int(message[name]) for name in ("start", "stop", "tries", "far", "number"))
    return WorkUnit(str(message["job"]), kind, start, stop, tries, far, number, queue)


def later_protocol(protocol: int) -> VersionSkew:
    """What a process says that is older than the service it is in."""
    return VersionSkew(
        f"the service speaks protocol {protocol}, this process (release {VERSION}) {PROTOCOL}: "
        "install one release on both"
    )


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
        # Acknowledge after the work: with a prefetch of one, a worker then holds no message but those it works on.
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
        task_default_queue=QueueName.ASSEMBLE,
        task_create_missing_queues=False,
        # Regrow's own logging, not Celery's.
        worker_hijack_root_logger=False,
        # So that tools for Celery see every step; what it costs is in docs/adr/0012.
        worker_send_task_events=True,
    )
    return app


class Sender:
    """Puts messages into queues."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def send(self, unit: WorkUnit) -> None:
        """Send a unit that was handed out to its queue. Raises ServiceUnavailable when the broker cannot be reached."""
        try:
            self._app.send_task(
                task_of(unit.kind),
                kwargs=message_of(unit),
                queue=unit.queue,
                task_id=f"{unit.job_id}-{unit.number}",
                retry=False,
            )
        except (CeleryError, KombuError, RedisError, OSError) as error:
            raise ServiceUnavailable("the broker cannot be reached: try again in a few seconds") from error
