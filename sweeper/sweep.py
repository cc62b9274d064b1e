"""What a sweeper does: looks after jobs, and sends webhooks."""

from __future__ import annotations

import threading

from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.sweeper import Sweeper
from regrow.core.jobs.wiring import make_backend
from regrow.core.webhooks.dispatcher import Dispatcher


def sweep(settings: ServiceSettings, stopping: threading.Event) -> None:
    """Look after jobs and send webhooks, with connections of its own, until told to stop."""
    backend = make_backend(settings)
    run = Dispatcher(backend.deliveries, settings).run
    dispatcher = threading.Thread(target=run, args=[stopping], name="webhooks", daemon=True)
    dispatcher.start()
    Sweeper(backend, settings.result_ttl).run(stopping)
    dispatcher.join()
