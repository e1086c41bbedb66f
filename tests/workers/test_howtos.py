"""The pages on training run, from top to bottom, each in one namespace."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
NEEDS = {"pytorch": ["torch"], "jax": ["jax", "grain"]}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", NEEDS)
def test_page(page, log_dir, monkeypatch):
    for package in NEEDS[page]:
        pytest.importorskip(package)
    monkeypatch.chdir(log_dir)
    blocks = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(PAGES / f"{page}.md").examples())
    assert len(blocks) >= 4
    for block in blocks:
        block.evaluate()
