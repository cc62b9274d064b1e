"""The `regrow` command: its subcommands, and what every one of them does with an error."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from regrow.cli import bench, decode, encode, grow, inspect, keys, serve, submit, train, worker, workers
from regrow.client import ClientError
from regrow.core.errors import told_in_one_line
from regrow.core.names import printable
from regrow.core.version import VERSION


class _Commands(TyperGroup):
    """Click takes EOFError for a Ctrl-D, and says no more than `Aborted.`."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise RuntimeError("data ended too early, and nobody expected that: this is a bug of Regrow") from error


app = typer.Typer(
    name="regrow",
    cls=_Commands,
    help="Compress images into the weights of tiny neural cellular automata, and regrow them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("submit")(submit.submit)
app.command("encode")(encode.encode)
app.command("decode")(decode.decode)
app.command("grow")(grow.grow)
app.command("inspect")(inspect.inspect)
app.command("train")(train.train)
app.add_typer(keys.app, name="keys")
app.add_typer(workers.app, name="workers")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"regrow {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Exit codes: 0 done, 1 the input or a file is bad (one line on stderr), 2 wrong usage."""


def main() -> None:
    """Entry point. Errors that are the caller's become one line and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # ASCII only, perhaps: no word of ours may end the work
    try:
        with told_in_one_line():
            app()
    except ModuleNotFoundError as error:
        print(f"regrow: {error.name} is not installed: pip install 'regrow[fit,dev]' brings it", file=sys.stderr)
        sys.exit(1)
    except ClientError as error:
        print(printable(f"regrow: {error}"), file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(printable(f"regrow: {where}{error.strerror or error}"), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
