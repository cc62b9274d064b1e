"""What `pip install regrow` brings: the client, and nothing of the service."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires

HEAVY = ("torch", "numba", "numpy", "PIL", "celery", "fastapi", "redis", "boto3", "typer", "rich")


def test_the_client_needs_two_packages() -> None:
    always = [line for line in requires("regrow") or [] if "extra ==" not in line]
    assert {re.split(r"[<>=\[; ]", line)[0] for line in always} == {"httpx", "pydantic"}


def test_the_client_loads_where_nothing_else_is_installed() -> None:
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(name + " is not installed here", name=name)
sys.meta_path.insert(0, Refuse())
import regrow
regrow.Client("http://127.0.0.1:1").close(), regrow.AsyncClient
try:
    regrow.encode
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout.strip()
        == "regrow.encode needs numpy, which is not installed: pip install 'regrow[codec]' brings it"
    )
