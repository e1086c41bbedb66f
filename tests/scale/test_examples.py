"""The examples in the docstrings of the modules whose engine is in this environment."""

import doctest
import importlib
import importlib.util

import pytest


@pytest.mark.parametrize("name", ["ray", "daft"])
def test_examples(name, request):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not in this environment")
    if name == "ray":
        request.getfixturevalue("ray")
    module = importlib.import_module(f"respool.{name}")
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert tests
    said: list[str] = []
    for test in tests:
        assert doctest.DocTestRunner().run(test, out=said.append).failed == 0, "".join(said)
