"""`python -m regrow.sweeper`, or `regrow worker --sweeper`: a sweeper process."""

from __future__ import annotations

import threading

from regrow.core.errors import told_in_one_line
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.logs import configure_logging
from regrow.core.settings import warn_of_unknown_settings
from regrow.core.stopping import on_stop
from regrow.sweeper.sweep import sweep


def main() -> None:
    """Sweep until SIGTERM."""
    settings = ServiceSettings()
    configure_logging(settings.log_format, settings.log_level)
    warn_of_unknown_settings()
    stopping = threading.Event()
    on_stop(stopping.set)
    sweep(settings, stopping)


if __name__ == "__main__":
    with told_in_one_line():
        main()
