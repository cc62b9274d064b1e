"""The fast decoders, made ready beside the API's start, so that the first picture need not wait for it."""

from __future__ import annotations

import logging
import threading
import time

from regrow.core.codec.decode.warm_up import warm_up
from regrow.core.errors import ServiceUnavailable

log = logging.getLogger("regrow.api")

AGAIN_SECONDS = 30.0


class WarmUp:
    """Imports and compiles it in a thread, which takes seconds; again after a while where that fails."""

    def __init__(self) -> None:
        self._failure: str | None = None

    def start(self) -> None:
        threading.Thread(target=self.run, name="warm-up", daemon=True).start()

    def run(self, again_seconds: float = AGAIN_SECONDS) -> None:
        """Load the decoder; where that fails, try again after so many seconds, until it succeeds."""
        while True:
            try:
                warm_up()
            except Exception as error:
                failure = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                if failure != self._failure:
                    log.error("the decoder does not work: %s", failure)
                self._failure = failure
                time.sleep(again_seconds)
            else:
                self._failure = None
                return

    def check(self) -> None:
        """Raises ServiceUnavailable where the decoder does not work; not while that is still to be seen."""
        if self._failure is not None:
            raise ServiceUnavailable(f"this process cannot decode pictures: {self._failure}")
