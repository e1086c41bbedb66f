"""What ``import respool`` is and is not. Each guard says how much it looked at."""

import errno
import pathlib
import pickle
import sys
from pathlib import Path

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
    assert len(native) >= 4
    # `from respool import *` must not hide Python's `open`.
    exported = {*respool.__all__, "open"}
    assert native <= exported
    assert {name for name in exported if hasattr(_native, name)} == native | {"__version__"}
    assert "open" not in respool.__all__


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
    assert len(classes) >= 5
    for cls in classes:
        assert "__dict__" not in vars(cls), cls
        assert "__setstate__" not in vars(cls), cls


def test_exceptions_are_what_callers_expect():
    assert issubclass(exceptions.MemoryCapacityError, MemoryError)
    assert issubclass(exceptions.DiskCapacityError, OSError)
    assert issubclass(exceptions.CorruptLogError, OSError)
    assert issubclass(exceptions.IncompleteStreamError, EOFError)
    assert len(exceptions.__all__) >= 5
    for name in exceptions.__all__:
        assert getattr(exceptions, name).__module__ == "respool.exceptions"
        assert issubclass(getattr(exceptions, name), exceptions.RespoolError)


def test_an_exception_of_files_says_which_and_can_be_pickled():
    error = exceptions.DiskCapacityError(errno.ENOSPC, "full", "/somewhere")
    for known in (error, pickle.loads(pickle.dumps(error))):
        assert (known.errno, known.filename) == (errno.ENOSPC, "/somewhere")


MODULES = """
import sys
import respool
assert not {"duckdb", "polars"} & set(sys.modules)
assert respool.typing.Metrics
con = respool.duckdb.duckdb.connect()
assert "polars" not in sys.modules
cache = respool.cache(con.sql("select 1 as n"))
assert respool.polars.scan(cache).collect().item() == 1
assert {"duckdb", "polars", "typing", "cache"} <= set(dir(respool))
assert not {"importlib", "TYPE_CHECKING"} & set(dir(respool))
try:
    respool.nothing
except AttributeError as error:
    print(error)
"""


def test_modules_over_engines_are_there_when_asked_for():
    assert processes.run(MODULES).strip() == "module 'respool' has no attribute 'nothing'"


STAR = """
import sys
import typing
before = typing
from respool import *
assert not {"duckdb", "polars"} & set(sys.modules)
assert typing is before
print(StreamCache.__name__, cache.__name__)
"""


def test_everything_at_once_loads_no_engine_and_hides_no_module():
    assert processes.run(STAR).split() == ["StreamCache", "cache"]


WITHOUT_ENGINES = """
import inspect
import pydoc
import sys
for name in ("duckdb", "grain", "polars", "torch"):
    sys.modules[name] = None
import respool
for name in ("duckdb", "grain", "polars", "torch"):
    assert not hasattr(respool, name)
    assert name in dir(respool)
    assert name not in dict(inspect.getmembers(respool))
    try:
        getattr(respool, name)
    except AttributeError as error:
        assert isinstance(error.__cause__, ImportError)
        print(error)
assert "Read an Arrow stream once" in pydoc.render_doc(respool)
"""


def test_without_engines_their_modules_are_missing_attributes_that_name_the_extra():
    duckdb, grain, polars, torch = processes.run(WITHOUT_ENGINES).strip().splitlines()
    assert duckdb.startswith("respool.duckdb needs DuckDB")
    assert duckdb.endswith("pip install 'respool[duckdb]'")
    assert polars.startswith("respool.polars needs Polars")
    assert polars.endswith("pip install 'respool[polars]'")
    assert grain.startswith("respool.grain needs Grain")
    assert grain.endswith("pip install 'respool[grain]'")
    assert torch.startswith("respool.torch needs PyTorch")
    assert torch.endswith("pip install 'respool[torch]'")


WITHOUT_EXTRA = """
import importlib, sys
for name in sys.argv[1:]:
    sys.modules[name] = None
    try:
        importlib.import_module(f"respool.{name}")
    except ModuleNotFoundError as error:
        assert error.name.partition(".")[0] == name
        print(error)
"""


def test_an_engine_that_is_not_there_is_told_with_what_to_install():
    engines = ("duckdb", "polars", "torch", "grain", "ray", "daft")
    said = processes.run(WITHOUT_EXTRA, *engines).strip().splitlines()
    for name, line in zip(engines, said, strict=True):
        assert line.startswith(f"respool.{name} needs "), line
        assert line.endswith(f"pip install 'respool[{name}]'")


def test_what_is_missing_in_an_engine_is_told_as_it_is(tmp_path):
    (tmp_path / "torch.py").write_text("import nowhere")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import respool.torch"
    with processes.start(code, tmp_path) as child:
        assert child.communicate(timeout=50)[1].endswith("No module named 'nowhere'\n")


STUB = Path(respool.__file__).with_name("_native.pyi")


WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
import pyarrow as pa
import respool
cache = respool.cache(pa.table({"x": [1, 2]}))
cache.ingest_all()
epochs = respool.epochs(cache, batch_size=2)
assert next(iter(epochs)).num_rows == 2
try:
    epochs.arrays()
except ModuleNotFoundError as error:
    assert error.name == "numpy"
    print(error)
"""


def test_arrays_without_numpy_say_what_to_install():
    said = processes.run(WITHOUT_NUMPY).strip()
    assert said.startswith("arrays() needs NumPy")
    assert "pip install numpy" in said


def test_the_package_shows_no_name_of_its_inside():
    modules = {"compat", "exceptions", "open", *respool._LATER}
    shown = {name for name in dir(respool) if not name.startswith("_")}
    assert shown - modules - set(respool.__all__) == set()


def test_the_stub_imports_nothing_that_a_user_may_lack():
    imported = {
        line.split()[1].partition(".")[0]
        for line in STUB.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported - {"pyarrow", "respool", "typing_extensions"} <= sys.stdlib_module_names


def test_the_version_is_the_wheels():
    assert respool.__version__.count(".") >= 2


def test_no_shape_has_the_name_of_a_class_that_its_user_has():
    """``from respool.typing import Path`` beside pathlib's would make every ``Path(...)`` fail."""
    shapes = {name for name in vars(respool.typing) if not name.startswith("_")}
    assert len(shapes) > 5
    assert not shapes & set(pathlib.__all__)
