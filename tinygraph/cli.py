"""The command line. Each command composes the rest, in `commands`, a family a file."""

from __future__ import annotations

import io
import sys

import typer

from .commands import gradients, looking, training
from .errors import TinygraphError

app = typer.Typer(
    help="Recurrent nets from their equations: unrolled, drawn, differentiated, trained.",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for family in (looking, gradients, training):
    app.add_typer(family.app)

INTERRUPTED = 130  # the shell's own status for Ctrl-C

# The base of typer's errors about a command's words; typer may carry click inside itself.
WrongWords: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main() -> None:
    """Run a command; what a user can mend is told in one line, with exit status 1, or 2 for wrong words."""
    for stream in (sys.stdout, sys.stderr):  # a terminal may lack characters of a sample
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = app(standalone_mode=False) or 0
        if status != INTERRUPTED:
            raise SystemExit(status)
        reason = "interrupted"
    except (TinygraphError, OSError) as error:
        status, reason = 1, _one_line(error)
    except WrongWords as error:
        status, reason = 2, f"{error.format_message()} (--help shows the options)"  # type: ignore[attr-defined]
    except MemoryError as error:
        status, reason = 1, f"not enough memory: {error}"
    except (KeyboardInterrupt, typer.Abort):
        status, reason = INTERRUPTED, "interrupted"
    print(f"tinygraph: {' '.join(reason.split())}", file=sys.stderr)
    raise SystemExit(status)


def _one_line(error: Exception) -> str:
    if isinstance(error, TinygraphError):
        return f"{error.what}; {error.fix}" if error.fix else error.what
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


@app.callback(invoke_without_command=True)
def overview(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
