"""The entry point: collects the commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from hindscale.cli import backtest, catalogs, traces
from hindscale.core.errors import HindscaleError, ParameterError

__all__ = ["app", "main"]

INTERRUPTED = 130

app = typer.Typer(
    name="hindscale",
    help="Elastic scaling for AI inference services: prove a policy on recorded traffic before it runs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "HINDSCALE", "help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"hindscale {version('hindscale')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Elastic scaling for AI inference services: prove a policy on recorded traffic before it runs."""


app.command("backtest")(backtest.backtest)
app.add_typer(traces.app, name="traces")
for name, command in catalogs.COMMANDS.items():
    app.command(name)(command)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code. `--debug` anywhere shows tracebacks."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given or bool(os.environ.get("HINDSCALE_DEBUG"))
    given = [argument for argument in given if argument != "--debug"]
    try:
        result = app(given, prog_name="hindscale", standalone_mode=False)
        if result == INTERRUPTED:  # Typer turns an interruption into an exit code without a word
            return _failed("interrupted", INTERRUPTED, None)
        return int(result) if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort) as error:
        return _failed("interrupted", INTERRUPTED, error if debug else None)
    except BrokenPipeError:
        # The reader has gone (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError as error:
        message = "out of memory; use --jobs 1, a shorter trace (--for), or rates instead of requests"
        return _failed(message, 1, error if debug else None)
    except HindscaleError as error:
        return _failed(str(error), 2 if isinstance(error, ParameterError) else 1, error if debug else None)
    except Exception as error:
        # Typer's usage errors have no public base class; they all know how to say themselves in one line.
        if not hasattr(error, "format_message"):
            raise
        return _failed(" ".join(error.format_message().split()), 2, error if debug else None)


def _failed(message: str, code: int, error: BaseException | None) -> int:
    if error is not None:
        traceback.print_exception(error)
    print(f"hindscale: {message}", file=sys.stderr)
    return code


def run() -> None:
    """What the `hindscale` command calls."""
    sys.exit(main())


if __name__ == "__main__":
    run()
