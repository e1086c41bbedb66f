"""The command as a whole: its subcommands, and how it ends."""

import importlib
import importlib.util
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from respool import __version__
from respool._cli import shown, standard
from respool._cli.causes import why
from respool._cli.endings import Ending, Exit
from respool._cli.interrupts import Terminated
from respool._cli.terminal import note
from respool.exceptions import CorruptLogError, IncompleteStreamError, RespoolError

_COMMANDS = ("ls", "info", "head", "sql", "verify", "export", "rm", "prune", "completion")


_EXPECTED = (
    RespoolError,
    OSError,
    MemoryError,
    ValueError,
    TypeError,
    RuntimeError,
    NotImplementedError,
)
"""Errors whose text is for people; of all others the traceback is."""


class _Commands(click.Group):
    """The subcommands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*_COMMANDS, *(["flight"] if _has_flight() else [])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"respool._cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:  # noqa: ANN401 - click's
        # Where help is asked for it is printed here.
        with _endings():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        with _endings():
            code = super().invoke(ctx)
            standard.flush()
            return code


@contextmanager
def _endings() -> Iterator[None]:
    """Make endings of errors of which click would end the process for some."""
    try:
        yield
    except BrokenPipeError:
        raise Ending(Exit.PIPE_CLOSED, "") from None
    except KeyboardInterrupt:
        raise Ending(Exit.INTERRUPTED, "interrupted") from None
    except IncompleteStreamError as error:
        # Being an EOFError, it would be taken for the end of what somebody types.
        raise _translated(error) from error


def _has_flight() -> bool:
    try:
        return importlib.util.find_spec("respool._flight.command") is not None
    except ModuleNotFoundError:
        return False


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="NAME is what respool.named knows a cache by; with a / in it, or a . or ~ before it, it is the path "
    "of a log.",
)
@click.version_option(__version__, "-V", "--version", message="respool %(version)s")
def app() -> None:
    """Look at the caches that respool keeps, query them, and tidy up."""


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments
        What follows the name of the program.
    """
    for stream in (sys.stdout, sys.stderr):
        # What a terminal has no letter for is written as its code, and no error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    is_json = "--json" in arguments
    try:
        code = app.main(arguments, prog_name="respool", standalone_mode=False)
    except Terminated as terminated:
        # As without us, but for what was tidied up.
        signal.signal(terminated.number, signal.SIG_DFL)
        signal.raise_signal(terminated.number)
        code = 128 + terminated.number
    except click.exceptions.NoArgsIsHelpError as error:
        with standard.telling():
            sys.stderr.write(f"{error.format_message()}\n")
        code = int(Exit.USAGE)
    except Exception as error:
        if (ending := _ending(error)) is None:
            raise
        code = _ended(ending, is_json=is_json)
    return int(code or 0)


def _ending(error: Exception) -> Ending | None:
    """Return how the command ends for an error; None if a traceback is what tells most."""
    if isinstance(error, Ending):
        return error
    if isinstance(error, click.Abort):
        return Ending(Exit.INTERRUPTED, "interrupted")
    if isinstance(error, click.UsageError):
        name = error.ctx.command_path if error.ctx else "respool"
        # Choices stand behind tabs, which are no letters of a word here.
        said = error.format_message().replace("\t", "  ")
        return Ending(Exit.USAGE, said, f"{name} --help")
    if isinstance(error, click.ClickException):
        return Ending(Exit.FAILED, error.format_message())
    if isinstance(error, _EXPECTED) or _is_of_arrow(error):
        return _translated(error)
    return None


def _is_of_arrow(error: Exception) -> bool:
    # Not imported for this: a shell that completes would wait for it.
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(error, arrow.ArrowException)


def _translated(error: Exception) -> Ending:
    """Return how the command ends for an error of what it called."""
    said = why(error)
    if isinstance(error, CorruptLogError):
        return Ending(Exit.DAMAGED, said, "respool verify lists what is damaged and what is not")
    if isinstance(error, IncompleteStreamError | TimeoutError):
        return Ending(Exit.UNFINISHED, said, "--partial reads what there is")
    if isinstance(error, BlockingIOError):
        return Ending(Exit.IN_USE, said)
    return Ending(Exit.FAILED, said)


def _ended(ending: Ending, *, is_json: bool) -> int:
    """Say how the command ends, on standard error, and return its code."""
    if ending.code in {Exit.PIPE_CLOSED, Exit.INTERRUPTED}:
        # Whatever else is flushed on the way out has nobody to read it, or somebody who may not read for long.
        standard.drop_output()
    else:
        with suppress(OSError):
            standard.flush()
    if ending.code is Exit.PIPE_CLOSED:
        pass
    elif is_json:
        told = {
            "error": ending.code.name.lower(),
            "exit": int(ending.code),
            "message": ending.said,
            "next": list(ending.then),
        }
        with standard.telling():
            sys.stderr.write(shown.json_line(told))
    else:
        style = "" if ending.code is Exit.INTERRUPTED else "red"
        # DuckDB points with a line at what it does not know.
        for line in f"respool: {ending.said}".split("\n"):
            note(line, style)
        for step in ending.then:
            note(step, indent=2)
    return int(ending.code)
