"""The pages of docs/ run: every Python block of one, from top to bottom in one namespace.

A page runs in `.venv`, unless its first line names another environment, which has what it imports:
`<!-- environment: workers -->` is run by `make test-workers`, which asks for it by `--environment workers`.
"""

import pkgutil
import re
import runpy
import sys
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

import respool

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PLAIN = "test"


def environment(page: Path) -> str:
    marked = re.match(r"<!-- environment: ([a-z0-9]+) -->\n", page.read_text())
    return marked.group(1) if marked else PLAIN


PAGES = {
    page.relative_to(DOCS).as_posix(): environment(page)
    for page in sorted(DOCS.rglob("*.md"))
    if "```python\n" in page.read_text()
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        here = metafunc.config.getoption("environment")
        metafunc.parametrize("page", [page for page, where in PAGES.items() if where == here])


@pytest.fixture(autouse=True)
def place_of_its_own(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(log_dir)
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(log_dir / "named"))
    if duckdb := sys.modules.get("duckdb"):
        duckdb.set_default_connection(duckdb.connect())


# Ibis 12 calls functions of DuckDB that DuckDB 2 calls old.
@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ibis\..*")
# So does torchdata 0.11 with one of PyTorch 2.15.
@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated")
@pytest.mark.timeout(180)
def test_page(page: str):
    blocks = list(Sybil(parsers=[PythonCodeBlockParser()]).parse(DOCS / page).examples())
    assert blocks
    for block in blocks:
        block.evaluate()


def test_every_environment_is_run_by_a_target():
    asked = set(re.findall(r"--environment (\w+)", (ROOT / "Makefile").read_text()))
    assert PAGES
    assert {page: where for page, where in PAGES.items() if where not in {PLAIN, *asked}} == {}


def test_a_page_that_asks_for_another_environment_does_so_on_its_first_line():
    asking = [page for page in DOCS.rglob("*.md") if "<!-- environment" in page.read_text()]
    assert [page for page in asking if environment(page) == PLAIN] == []


def test_every_public_name_is_in_the_reference():
    told = "".join(page.read_text() for page in (DOCS / "reference").glob("*.rst"))
    documented = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", told, re.MULTILINE))
    modules = {
        f"respool.{module.name}"
        for module in pkgutil.iter_modules(respool.__path__)
        if not module.name.startswith("_") and module.name != "compat"
    }
    names = {*respool.__all__, "open"} - {"__version__", "exceptions"}
    assert len(modules) >= 4
    assert len(names) >= 10
    assert modules | names <= documented


def test_every_how_to_is_linked_where_they_are_listed():
    """Where the sources are read, as the README's link leads to them, a toctree is no link."""
    pages = {page.stem for page in (DOCS / "how-to").glob("*.md")} - {"index"}
    listed = (DOCS / "how-to" / "index.md").read_text()
    assert len(pages) >= 20
    assert set(re.findall(r"\]\(([a-z-]+)\.md\)", listed)) == pages
    assert set(re.findall(r"^([a-z-]+)$", listed, re.MULTILINE)) == pages


@pytest.mark.parametrize("name", ["way_of_a_batch"])
def test_a_picture_is_what_its_command_draws(name):
    drawn = runpy.run_path(str(DOCS / "pictures" / f"{name}.py"))["picture"]()
    assert (DOCS / "pictures" / f"{name}.svg").read_text() == drawn
