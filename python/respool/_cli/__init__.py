"""The command ``respool``.

`app` knows the subcommands, of which each has a module of its own; `endings` says what the exit codes are.
`targets` finds what is named on the command line, `logs` says what it is, `states` what that means and what to
do next, `causes` what an error says. `checks` reads everything of a log for `verify`, `rows` writes rows for `head`
and `sql`. Whatever is printed goes through `terminal`, and there through `escaped`.
"""

import sys

_MISSING = (
    "respool: the command needs {name}, which can't be imported: pip install 'respool[cli]'\n"
)


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    try:
        # An extra: the package is used without.
        from respool._cli.app import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in {"click", "rich"}:
            raise
        sys.stderr.write(_MISSING.format(name=name))
        sys.exit(1)
    sys.exit(run(sys.argv[1:]))
