"""The command ``respool``.

`app` knows the subcommands, of which each has a module of its own; `endings` says what the exit codes are.
`targets` finds what is named on the command line, `logs` says what it is, `states` what that means and what to
do next, `causes` what an error says. `checks` reads everything of a log for `verify`, `rows` writes rows for `head`
and `sql`. Whatever is printed goes through `terminal`, and there through `escaped`.
"""

import signal
import sys

from respool._cli.interrupts import Pressed
from respool._cli.standard import stand_in

_MISSING = (
    "respool: the command needs {name}, which can't be imported: pip install 'respool[cli]'\n"
)

_INTERRUPTED = 130
"""As in `endings`, which may not be loaded yet."""


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    stand_in()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, Pressed())
    try:
        code = _code()
    except KeyboardInterrupt:
        # Before it began, or while it said that it was interrupted.
        code = _INTERRUPTED
    # Pressed again while Python ends, it would be told once more, with a traceback.
    is_over = code == _INTERRUPTED or before is None
    signal.signal(signal.SIGINT, signal.SIG_IGN if is_over else before)
    sys.exit(code)


def _code() -> int:
    try:
        # An extra: the package is used without.
        from respool._cli.app import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in {"click", "rich"}:
            raise
        sys.stderr.write(_MISSING.format(name=name))
        return 1
    return run(sys.argv[1:])
