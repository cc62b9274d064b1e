"""`celery -A regrow.worker.app`: the application for Celery's own tools, such as `inspect`, `control` and `events`.

It knows where the broker is, by REGROW_REDIS_URL, and the queues. It does no work: `regrow worker` starts what does.
"""

from __future__ import annotations

from regrow.core.jobs.messages import make_celery
from regrow.core.jobs.settings import ServiceSettings

app = make_celery(ServiceSettings().redis_url.get_secret_value())
