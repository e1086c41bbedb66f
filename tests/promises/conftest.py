"""What the promises share: their length, and the figures that end up in docs/promises.md."""

import os
import platform
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

from promises.figures import Figures
from promises.table import DOCUMENT, HERE, Table

ENGINES = ("respool", "pyarrow", "duckdb", "polars", "arro3-core", "nanoarrow")

FIGURES = pytest.StashKey[dict[str, Figures]]()
FAILURES: Counter[str] = Counter()  # by file


@pytest.fixture(scope="session")
def long(request):
    """Whether to prove at length: `make promises`."""
    return request.config.getoption("--long")


@pytest.fixture
def figure(request):
    """Record figures of what a test saw: ``figure("pairs", runs=100, hangs=0, worst_s=0.1)``.

    Over the tests of a file whole numbers add up, and of floats the greatest is kept.
    """
    return request.config.stash.setdefault(FIGURES, {}).setdefault(request.path.name, Figures()).add


def pytest_runtest_logreport(report):
    if report.failed and HERE.name in report.nodeid:
        FAILURES[Path(report.location[0]).name] += 1


def pytest_sessionfinish(session):
    """Rewrite the rows of the promises that ran at length, and whole."""
    option = session.config.getoption
    if not option("--long") or option("collectonly") or option("keyword"):
        return
    table = Table.read(DOCUMENT, HERE)
    seen = session.config.stash.get(FIGURES, {})
    for name in seen.keys() | FAILURES.keys():
        table.record(name, str(seen.get(name, "")), FAILURES[name])
    table.machine = ", ".join(
        [
            f"{len(os.sched_getaffinity(0))} cores",
            f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in ENGINES),
        ]
    )
    table.write(DOCUMENT)
