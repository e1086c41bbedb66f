"""What ``import respool`` is and is not. Each guard says how much it looked at."""

import processes
import respool
from respool import _native, exceptions

LOADED = """
import sys
import respool
print(*(name for name in ("duckdb", "polars", "pandas", "numpy") if name in sys.modules))
"""

# What the translators of respool.duckdb and respool.polars build predicates from.
INTERNAL = {"Predicate", "Term"}


def public(module: object) -> set[str]:
    return {name for name in vars(module) if not name.startswith("_")}


def test_importing_loads_no_engine():
    assert processes.run(LOADED).split() == []


def test_every_native_name_is_exported():
    native = public(_native) - INTERNAL
    assert len(native) >= 7
    exported = set(respool.__all__) | set(exceptions.__all__)
    assert native <= exported
    assert {name for name in exported if hasattr(_native, name)} == native | {"__version__"}


def test_exported_names_exist_and_are_documented():
    for name in respool.__all__:
        assert hasattr(respool, name)
    documented = [getattr(respool, name) for name in respool.__all__ if name[0] != "_"]
    documented += [getattr(exceptions, name) for name in exceptions.__all__]
    assert len(documented) >= 8
    for thing in documented:
        assert thing.__doc__


def test_native_classes_are_immutable_from_python():
    classes = [thing for thing in vars(_native).values() if isinstance(thing, type)]
    assert len(classes) >= 7
    looked_at = 0
    for cls in classes:
        if issubclass(cls, BaseException):
            continue
        looked_at += 1
        assert "__dict__" not in vars(cls), cls
        assert "__setstate__" not in vars(cls), cls
    assert looked_at >= 3


def test_exceptions_are_what_callers_expect():
    assert issubclass(exceptions.MemoryCapacityError, MemoryError)
    assert issubclass(exceptions.DiskCapacityError, OSError)
    assert issubclass(exceptions.CorruptLogError, OSError)
    assert len(exceptions.__all__) >= 3
    for name in exceptions.__all__:
        assert getattr(exceptions, name).__module__ == "respool.exceptions"


def test_the_version_is_the_wheels():
    assert respool.__version__.count(".") >= 2
