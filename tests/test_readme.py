"""The README's Python blocks run, from top to bottom in one namespace."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

README = Path(__file__).parent.parent / "README.md"


def test_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    blocks = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(README).examples())
    assert blocks
    for block in blocks:
        block.evaluate()
    assert list(tmp_path.iterdir()) == []
