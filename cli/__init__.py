"""The command line."""

import sys


def main() -> None:
    """The command `regrow`, or a line that says what is missing where only the client was installed."""
    try:
        from regrow.cli.main import main as run
    except ModuleNotFoundError as error:
        print(f"regrow: {error.name} is not installed: pip install 'regrow[serve]' brings it", file=sys.stderr)
        sys.exit(1)
    run()
