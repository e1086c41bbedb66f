"""What an ingest says of itself while it runs."""

import errno
import io
import re
import sys
import types
from contextlib import redirect_stderr

import pyarrow as pa
import pytest

import respool
from respool import _progress
from sources import SCHEMA, Source, SourceBrokeError


def test_a_callable_is_told_batches_and_rows():
    told = []
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=lambda batches, rows: told.append((batches, rows))) == 5
    assert told[0] == (1, 100)
    assert told[-1] == (5, 500)
    assert told == sorted(told)


@pytest.fixture
def without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


@pytest.mark.usefixtures("without_tqdm")
def test_a_line_is_written_on_standard_error(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=True) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("\n")
    assert "5 batches, 500 rows" in shown.err


@pytest.mark.usefixtures("without_tqdm")
def test_one_batch_is_one(capsys):
    respool.cache(pa.table({"n": [1]})).ingest_all(progress=True)
    assert capsys.readouterr().err.startswith("respool: 1 batch, 1 row, ")


@pytest.mark.usefixtures("without_tqdm")
def test_a_line_ends_where_the_ingest_fails(capsys):
    cache = respool.cache(Source(5, pause=0.06, fail_at=3), schema=SCHEMA)
    with pytest.raises(SourceBrokeError):
        cache.ingest_all(progress=True)
    shown = capsys.readouterr().err
    assert shown.endswith("\n")
    assert "3 batches" in shown


@pytest.fixture
def on_terminal(monkeypatch):
    # Not standard error itself: pytest puts another one there for the test.
    monkeypatch.setattr(_progress, "_is_terminal", lambda: True)


@pytest.mark.usefixtures("on_terminal")
def test_a_bar_of_tqdm_shows_rows_batches_and_bytes(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    assert cache.ingest_all(progress=True) == 5
    shown = capsys.readouterr()
    assert shown.out == ""
    last = shown.err.rstrip().rpartition("\r")[2]
    assert last.startswith("respool: 500 rows")
    assert "5 batches, " in last


@pytest.mark.usefixtures("on_terminal")
def test_an_export_knows_how_many_rows_there_will_be(capsys, tmp_path):
    cache = respool.cache(Source(5), schema=SCHEMA)
    cache.ingest_all()
    cache.to_parquet(tmp_path / "x.parquet", progress=True)
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert "100%" in last
    assert "500/500" in last
    cache.filter([("n", "<", 10**9)]).to_parquet(tmp_path / "y.parquet", progress=True)
    assert "%" not in capsys.readouterr().err


def test_silence_is_the_default(capsys):
    cache = respool.cache(Source(5), schema=SCHEMA)
    cache.ingest_all()
    assert capsys.readouterr().err == ""


def test_what_is_neither_is_refused():
    cache = respool.cache(Source(5), schema=SCHEMA)
    with pytest.raises(TypeError, match="progress"):
        cache.ingest_all(progress="often")
    assert cache.ingested_count == 0


def test_an_exception_of_the_callable_stops_the_ingest_and_loses_nothing():
    cache = respool.cache(Source(5), schema=SCHEMA)

    def refuse(batches, rows):
        raise LookupError

    with pytest.raises(LookupError):
        cache.ingest_all(progress=refuse)
    assert cache.ingest_all() == 5


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(shown):
    return [line.partition("\x1b[K")[2] for line in shown.getvalue().rstrip("\n").split("\r")[1:]]


@pytest.mark.usefixtures("without_tqdm")
def test_a_terminal_is_shown_rows_bytes_and_rate():
    cache = respool.cache(Source(6, pause=0.06), schema=SCHEMA)
    with redirect_stderr(Terminal()) as terminal:
        cache.ingest_all(progress=True)
    told = lines(terminal)
    assert len(told) >= 3
    assert re.fullmatch(
        r"respool: 6 batches, 600 rows, \d+\.\d KiB, [\d.]+ [KM]?i?B/s", told[-1]
    ), told[-1]
    assert terminal.getvalue().endswith("\n")


@pytest.mark.usefixtures("without_tqdm")
def test_a_share_is_shown_where_the_source_knows_its_length(capsys):
    table = pa.table({"x": range(1000)})
    polars = pytest.importorskip("polars")
    frames = [table, table.to_batches()[0], polars.DataFrame(table), table.to_pandas()]
    for known in frames:
        respool.cache(known).ingest_all(progress=True)
        assert "1,000 rows" in (shown := capsys.readouterr().err)
        assert shown.endswith("100%\n")
    unknown = [table.to_reader(), respool.cache(table), respool.cache(table).select("x")]
    for source in unknown:
        respool.cache(source).ingest_all(progress=True)
        respool.cache(table).slice(3).ingest_all(progress=True)
        assert "%" not in capsys.readouterr().err


@pytest.mark.usefixtures("on_terminal")
def test_a_bar_of_tqdm_shows_rate_and_share(capsys):
    respool.cache(pa.table({"x": range(1000)})).ingest_all(progress=True)
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert "100%" in last
    assert "1.00k/1.00k" in last
    cache = respool.cache(Source(6, pause=0.06), schema=SCHEMA)
    cache.ingest_all(progress=True)
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert re.search(r"6 batches, \d+\.\d KiB, [\d.]+ [KM]?i?B/s", last), last


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_what_is_no_terminal_gets_one_line(capsys, monkeypatch, has_tqdm):
    if not has_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    cache = respool.cache(Source(6, pause=0.06), schema=SCHEMA)
    cache.ingest_all(progress=True)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "\r" not in shown


@pytest.mark.parametrize(("shell", "is_bar"), [("ZMQInteractiveShell", True), (None, False)])
def test_a_notebook_is_no_terminal_and_has_a_bar(capsys, monkeypatch, shell, is_bar):
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell and type(shell, (), {})()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    respool.cache(pa.table({"x": range(1000)})).ingest_all(progress=True)
    assert ("1.00k/1.00k" in capsys.readouterr().err) is is_bar


def test_a_terminal_has_a_bar():
    with redirect_stderr(Terminal()) as terminal:
        respool.cache(pa.table({"x": range(1000)})).ingest_all(progress=True)
    assert "1.00k/1.00k" in terminal.getvalue()


class OnlyText:
    """As little of a file as a program may put in the place of standard error."""

    def write(self, text):
        pass

    def flush(self):
        pass


@pytest.mark.parametrize("kind", ["none", "closed", "text"])
def test_a_program_without_standard_error_goes_on(monkeypatch, kind):
    closed = io.StringIO()
    closed.close()
    err = {"none": None, "closed": closed, "text": OnlyText()}[kind]
    monkeypatch.setattr(sys, "stderr", err)
    assert respool.cache(Source(3), schema=SCHEMA).ingest_all(progress=True) == 3


class Broken(Terminal):
    """A terminal that is gone."""

    def write(self, text):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize("has_tqdm", [True, False])
@pytest.mark.parametrize("use", ["ingest_all", "to_ipc"])
def test_who_can_not_be_shown_anything_gets_the_rows_or_the_error(
    tmp_path, monkeypatch, has_tqdm, use
):
    if not has_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    ways = [] if use == "ingest_all" else [tmp_path / "x.arrow"]
    ends = []
    monkeypatch.setattr(sys, "unraisablehook", ends.append)
    with redirect_stderr(Broken()):
        for fail_at in (None, 2):
            cache = respool.cache(Source(3, pause=0.05, fail_at=fail_at), schema=SCHEMA)
            try:
                ends.append(getattr(cache, use)(*ways, progress=True))
            except BaseException as error:
                ends.append(type(error))
    assert ends == [3 if use == "ingest_all" else 300, SourceBrokeError]


@pytest.mark.usefixtures("without_tqdm")
def test_a_named_fill_shows_how_far_it_is(capsys, log_dir):
    def fill():
        return pa.table({"x": range(1000)})

    options = {"directory": log_dir}
    with respool.named("x", fill, ingest=True, progress=True, **options):
        assert "1,000 rows" in (shown := capsys.readouterr().err)
        assert shown.endswith("100%\n")
    told = []
    with respool.named("x", fill, ingest=True, progress=lambda *at: told.append(at), **options):
        assert told[-1] == (1, 1000)
    with respool.named("x", fill, ingest=True, **options):
        assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="ingest=True"):
        respool.named("x", fill, progress=True, **options)


@pytest.mark.usefixtures("without_tqdm")
def test_exports_show_bytes_rate_and_share(tmp_path):
    cache = respool.cache(Source(5), schema=SCHEMA)
    cache.ingest_all()
    with redirect_stderr(Terminal()) as terminal:
        cache.to_ipc(tmp_path / "x.arrow", progress=True)
    assert re.fullmatch(
        r"respool: 5 batches, 500 rows, \d+\.\d KiB(, [\d.]+ \w+/s)?, 100%", lines(terminal)[-1]
    )
