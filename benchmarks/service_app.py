"""`python -m regrow.benchmarks.service_app`: the API process, which hands out the files of a folder too.

So that a regrown picture and a file of the same bytes are measured behind the same server and the same middleware.
"""

from __future__ import annotations

import os

from fastapi.staticfiles import StaticFiles

from regrow.api.__main__ import serve
from regrow.api.app import create_app
from regrow.api.settings import ApiSettings

FOLDER = "BENCH_STATIC_FOLDER"
"""The environment variable that names the folder."""

MOUNT = "/bench"

if __name__ == "__main__":
    settings = ApiSettings()
    app = create_app(settings)
    app.mount(MOUNT, StaticFiles(directory=os.environ[FOLDER]), name="bench")
    serve(app, settings)
