"""Every example in a docstring runs, of native classes too, where pytest's collector does not look."""

import doctest
import importlib
from collections.abc import Iterator

import pytest

import respool
from respool import _native

MODULES = [
    "respool",
    "respool._filters",
    "respool._named.fill",
    "respool._named.listing",
    "respool._named.prune",
    "respool.compat.batchcorder",
    "respool.duckdb",
    "respool.exceptions",
    "respool.polars",
    "respool.typing",
]
NATIVE = [
    _native.Budget,
    _native.StreamCache,
    _native.StreamCacheReader,
    _native.StreamCacheView,
    _native.cache,
]


def examples() -> Iterator[doctest.DocTest]:
    finder, parser = doctest.DocTestFinder(), doctest.DocTestParser()
    for name in MODULES:
        yield from finder.find(importlib.import_module(name))
    for thing in NATIVE:
        members = {thing.__name__: thing}
        members.update(
            {f"{thing.__name__}.{k}": v for k, v in vars(thing).items()}
            if isinstance(thing, type)
            else {}
        )
        for name, member in members.items():
            text = getattr(member, "__doc__", None) or ""
            yield parser.get_doctest(text, {"respool": respool}, f"_native.{name}", None, 0)


EXAMPLES = {test.name: test for test in examples() if test.examples}


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(EXAMPLES[name], out=report.append).failed == 0, "".join(report)
