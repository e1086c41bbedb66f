"""The how-to of the command shows what the command prints, and has its exit codes."""

import re
import sys
from pathlib import Path

from respool._cli.app import app
from respool._cli.endings import Exit

DOCS = Path(__file__).parent.parent / "docs"


def test_the_how_to_shows_what_is_printed(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    import command

    page = command.PAGE.read_text()
    # Written anew by: python docs/command.py
    assert command.rendered(page) == page
    shown = set(re.findall(r"^\$ respool (\w+)", page, re.MULTILINE))
    assert shown == set(app.list_commands(None)) - {"flight", "completion"}
    assert "command" in sys.modules


def test_the_how_to_has_every_exit_code():
    page = (DOCS / "how-to" / "command.md").read_text()
    codes = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert list(map(int, codes)) == [int(code) for code in Exit]
