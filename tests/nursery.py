"""`python -m tests.nursery SOCKET`: has imported what processes of ours import, and forks them.

Such a process costs a second or two to start, nearly all of it imports. One that is forked here runs its module as
`python -m` does, with its own arguments, environment and streams, and ends as Python ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from typing import Any

PRELOADED = (
    "PIL.WebPImagePlugin",
    "regrow.api.app",
    "billiard.pool",
    "boto3",
    "celery.apps.worker",
    "celery.backends.base",
    "celery.concurrency.thread",
    "celery.events",
    "celery.fixups.django",
    "celery.worker.strategy",
    "regrow.cli.main",
    "regrow.core.codec.encode.assemble",
    "regrow.core.codec.fit.engines.cpu.engine",
    "regrow.core.codec.fit.fitting",
    "regrow.core.webhooks.dispatcher",
    "httptools",
    "kombu.mixins",
    "kombu.transport.redis",
    "skimage.metrics",
    "uvicorn.lifespan.on",
    "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.httptools_impl",
    "regrow.worker.celery_app",
    "regrow.sweeper.sweep",
)


def nurse(control: socket.socket) -> dict[str, Any] | None:
    """Answer requests: of what was started, its pid; of what is asked after, its status once it has ended.

    Returns what a child shall be, in the child; None when whoever asked is gone, with whom the children go.
    """
    running: set[int] = set()
    with control, control.makefile("rw") as lines:
        for line in lines:
            request = json.loads(line)
            if "module" in request:
                answer: int | None = os.fork()
                if answer == 0:
                    return request
                running.add(answer or 0)
            else:
                ended, status = os.waitpid(request["pid"], os.WNOHANG)
                running.discard(ended)
                answer = os.waitstatus_to_exitcode(status) if ended else None
            lines.write(json.dumps(answer) + "\n")
            lines.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return None


def become(child: dict[str, Any]) -> None:
    """The module that was asked for."""
    os.chdir(child["folder"])
    os.environ.clear()
    os.environ.update(child["environment"])
    for number, path in ((1, child["out"]), (2, child["err"])):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    from numba.core import config

    config.reload_config()  # what it reads from the environment
    sys.argv[:] = [child["module"], *child["arguments"]]
    runpy.run_module(child["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in PRELOADED:
        importlib.import_module(name)
    sys.modules.pop("regrow.cli.main")  # it is run, and runpy warns of modules that are there already
    gc.freeze()
    wanted = nurse(socket.socket(fileno=int(sys.argv[1])))
    if wanted:
        become(wanted)
