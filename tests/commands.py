"""The command, run in this process or in one of its own."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass

from respool._cli.app import run

COMMAND = [sys.executable, "-m", "respool"]


@dataclass
class Ran:
    """How a run of the command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def error(self):
        return json.loads(self.err)


def here(capsys, *arguments: object) -> Ran:
    """Run the command in this process."""
    capsys.readouterr()
    code = run([str(one) for one in arguments])
    return Ran(code, *capsys.readouterr())


def on_terminal(*arguments: object, typed: bytes = b"", **env: str) -> Ran:
    """Run the command in a terminal of 80 columns; what it prints to it, on either stream, is ``out``."""
    ours, theirs = pty.openpty()
    given = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **env}
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=given
    ) as child:
        os.close(theirs)
        os.write(ours, typed)
        out = b""
        try:
            while piece := os.read(ours, 65536):
                out += piece
        except OSError:  # what Linux says where nobody has the other end
            pass
        code = child.wait(50)
    os.close(ours)
    return Ran(code, out.decode(), "")
