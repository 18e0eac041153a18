"""The entry point: collects the commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from typing import Annotated

import typer

from hindscale.cli import (
    backtest,
    catalogs,
    check,
    demo,
    emit,
    emulate,
    explain,
    forecast,
    import_,
    load,
    promote,
    traces,
    train,
    tune,
    what_if,
)
from hindscale.cli import run as run_command
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


app.command("backtest", epilog=backtest.EXAMPLES)(backtest.backtest)
app.command("what-if", epilog=what_if.EXAMPLES)(what_if.what_if)
app.command("tune", epilog=tune.EXAMPLES)(tune.tune)
app.command("emit", epilog=emit.EXAMPLES)(emit.emit)
app.command("check", epilog=check.EXAMPLES)(check.check)
app.command("forecast", epilog=forecast.EXAMPLES)(forecast.forecast)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.command("run", epilog=run_command.EXAMPLES)(run_command.run)
app.command("promote", epilog=promote.EXAMPLES)(promote.promote)
app.command("rollback", epilog=promote.EXAMPLES)(promote.rollback)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("emulate", epilog=emulate.EXAMPLES)(emulate.emulate)
app.command("load", epilog=load.EXAMPLES)(load.load)
app.add_typer(import_.app, name="import")
app.add_typer(traces.app, name="traces")
for name, command in catalogs.COMMANDS.items():
    app.command(name)(command)


def _end_on_sigterm() -> None:
    """Let a request to end do what Ctrl-C does: leave what was finished, and no process behind."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code. `--debug` anywhere shows tracebacks."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given or bool(os.environ.get("HINDSCALE_DEBUG"))
    given = [argument for argument in given if argument != "--debug"]
    try:
        _end_on_sigterm()
        result = app(given, prog_name="hindscale", standalone_mode=False)
    except BrokenPipeError:
        # The reader has gone (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as error:
        message, code = _told(error)
        if debug:
            traceback.print_exception(error)
    else:
        code = int(result) if isinstance(result, int) else 0
        message = "interrupted" if code == INTERRUPTED else ""  # Typer makes an exit code of it, without a word
    if message:
        print(f"hindscale: {message}", file=sys.stderr)
    return code


def _told(error: BaseException) -> tuple[str, int]:
    """The line and the exit code for an error; what nobody expected is raised again."""
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return "interrupted", INTERRUPTED
    if isinstance(error, HindscaleError):
        return str(error), 2 if isinstance(error, ParameterError) else 1
    if isinstance(error, MemoryError):
        return "out of memory; use --jobs 1, a shorter trace (--for), or rates instead of requests", 1
    if hasattr(error, "format_message"):
        # Typer's usage errors have no public base class; they all know how to say themselves.
        return " ".join(error.format_message().split()), 2
    raise error


def run() -> None:
    """What the `hindscale` command calls."""
    sys.exit(main())


if __name__ == "__main__":
    run()
