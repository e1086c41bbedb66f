"""What `help` shows of every public name: what it does, its parameters, its errors, and an example that runs.

pytest's own collector of examples does not look into native classes.
"""

import doctest
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import respool

# Each with what has to be installed for it; one environment has not all.
MODULES = {
    "respool": "pyarrow",
    "respool.daft": "daft",
    "respool.duckdb": "duckdb",
    "respool.exceptions": "pyarrow",
    "respool.flight": "pyarrow.flight",
    "respool.grain": "grain",
    "respool.polars": "polars",
    "respool.ray": "ray",
    "respool.torch": "torch",
    "respool.typing": "pyarrow",
}
PUBLIC = [name for name, needed in MODULES.items() if importlib.util.find_spec(needed)]
# Examples run here too, but these have names that nobody is told of.
ALSO = ["respool._filters", "respool.compat.batchcorder"]
# In no `__all__`, so that `import *` does not hide Python's.
HIDDEN = {"respool": ["open"]}
FROM_ELSEWHERE = {"Iterable", "Protocol", "TypeAlias", "TypedDict", "os"}

# What can't fail, or only as everything does whose cache is closed.
RAISE_NOTHING = {
    "respool.Budget.metrics",
    "respool.StreamCache.metrics",
    "respool.StreamCacheReader.close",
    "respool.StreamCacheView.prefix",
}


def public_names(module) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [name for name in vars(module) if not name.startswith("_")]
    return [*listed, *HIDDEN.get(module.__name__, [])]


def things() -> Iterator[tuple[str, object]]:
    """Every public function, class, and member of a class, by its full name."""
    for module in map(importlib.import_module, PUBLIC):
        yield module.__name__, module
        for name in public_names(module):
            thing = getattr(module, name)
            if name in FROM_ELSEWHERE or not (inspect.isroutine(thing) or inspect.isclass(thing)):
                continue
            full = f"{module.__name__}.{name}"
            yield full, thing
            if inspect.isclass(thing):
                yield from members(full, thing)


def members(full: str, cls: type) -> Iterator[tuple[str, object]]:
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        # Fields of a class are told of in its own docstring.
        is_field = inspect.ismemberdescriptor(member)
        if inspect.isroutine(member) or (inspect.isdatadescriptor(member) and not is_field):
            yield f"{full}.{name}", member


THINGS = dict(things())


def text_of(name: str) -> str:
    return inspect.cleandoc(getattr(THINGS[name], "__doc__", None) or "")


def is_native(name: str) -> bool:
    return not inspect.isfunction(THINGS[name])


CALLED = [name for name, thing in THINGS.items() if inspect.isroutine(thing)]
CLASSES = [name for name, thing in THINGS.items() if inspect.isclass(thing)]
PROPERTIES = [name for name, thing in THINGS.items() if inspect.isdatadescriptor(thing)]
# Methods of protocols are what others write; the class shows how.
OF_PROTOCOLS = [name for name in CALLED if name.startswith("respool.typing.")]
SHOWN = [name for name in CALLED if name not in OF_PROTOCOLS]


def test_the_names_are_counted():
    """Names that are lost from here would be tested no more."""
    assert len(SHOWN) >= 38
    assert len(CLASSES) >= 15
    assert len(PROPERTIES) >= 17
    assert {"respool.open", "respool.StreamCacheView.filter"} <= set(SHOWN)
    assert {"respool.StreamCacheView.num_rows", "respool.StreamCacheReader.closed"} <= set(
        PROPERTIES
    )


@pytest.mark.parametrize("name", THINGS)
def test_it_says_what_it_does(name):
    summary = text_of(name).partition("\n\n")[0]
    assert summary.endswith((".", ":")), summary
    assert summary[0].isupper()


def sections(name: str) -> dict[str, str]:
    parts = re.split(r"^(\w+)\n-+\n", text_of(name), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", [*SHOWN, *CLASSES])
def test_it_describes_every_parameter(name):
    if name in CLASSES and not text_of(name).count("\nParameters\n"):
        # Not for anybody to make.
        return
    parameters = [
        parameter.name
        for parameter in inspect.signature(THINGS[name]).parameters.values()
        if parameter.name != "self"
    ]
    described = re.findall(r"^(\S.*)$", sections(name).get("Parameters", ""), re.MULTILINE)
    names = [one.lstrip("*") for line in described for one in re.split(r", ", line)]
    assert sorted(names) == sorted(parameters)


@pytest.mark.parametrize("name", SHOWN)
def test_it_tells_its_errors(name):
    assert ("Raises" in sections(name)) == (name not in RAISE_NOTHING)


@pytest.mark.parametrize("name", SHOWN)
def test_a_called_thing_has_an_example(name):
    assert name.rpartition(".")[2] in sections(name)["Examples"]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_an_example(name):
    assert ">>> " in sections(name)["Examples"]


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_is_used_in_the_example_of_its_class(name):
    cls, _, own = name.rpartition(".")
    assert f".{own}" in sections(cls)["Examples"]


def test_a_type_for_annotations_is_used_in_the_example():
    aliases = {"BatchRows", "ByteSize", "PathLike", "Source"}
    assert aliases <= set(public_names(importlib.import_module("respool.typing")))
    assert all(
        re.search(rf"\b{name}\b", sections("respool.typing")["Examples"]) for name in aliases
    )


def examples() -> Iterator[doctest.DocTest]:
    finder, parser = doctest.DocTestFinder(), doctest.DocTestParser()
    for name in [*PUBLIC, *ALSO]:
        yield from finder.find(importlib.import_module(name))
    for name in THINGS:
        yield parser.get_doctest(text_of(name), {"respool": respool}, name, None, 0)


EXAMPLES = {test.name: test for test in examples() if test.examples}


def test_every_example_runs_here():
    with_examples = {name for name in THINGS if ">>> " in text_of(name)}
    assert len(with_examples) >= 55
    assert with_examples <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, log_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(log_dir)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(EXAMPLES[name], out=report.append).failed == 0, "".join(report)
