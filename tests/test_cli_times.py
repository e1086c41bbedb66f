"""Times and spans are ISO 8601, whichever way they come: by `head` or a query, nested or not."""

import datetime as dt

import pyarrow as pa
import pytest

import commands
import respool
from respool._cli.rows.values import values
from respool._cli.shown import plain, span

MOMENT = 1_767_323_045_250_000
"""2026-01-02 03:04:05.25 in microseconds."""

NANOS = pa.MonthDayNano([14, 3, 90_500_000_000])

TIMES = {
    "seconds": (pa.array([MOMENT // 10**6, None], pa.timestamp("s")), "2026-01-02T03:04:05"),
    "millis": (pa.array([MOMENT // 1000, None], pa.timestamp("ms")), "2026-01-02T03:04:05.25"),
    "micros": (pa.array([MOMENT, None], pa.timestamp("us")), "2026-01-02T03:04:05.25"),
    "nanos": (pa.array([1, None], pa.timestamp("ns")), "1970-01-01T00:00:00.000000001"),
    "utc": (pa.array([0, None], pa.timestamp("s", "UTC")), "1970-01-01T00:00:00+00:00"),
    "zurich": (
        pa.array([MOMENT, None], pa.timestamp("us", "Europe/Zurich")),
        "2026-01-02T03:04:05.25+00:00",
    ),
    "day": (pa.array([0, None], pa.date32()), "1970-01-01"),
    "long_day": (pa.array([86_400_000, None], pa.date64()), "1970-01-02"),
    "time": (pa.array([10, None], pa.time32("s")), "00:00:10"),
    "exact_time": (pa.array([10, None], pa.time64("us")), "00:00:00.00001"),
    "second": (pa.array([1, None], pa.duration("s")), "PT1S"),
    "long": (pa.array([90 * 86400 * 1000 + 61_500, None], pa.duration("ms")), "PT2160H1M1.5S"),
    "back": (pa.array([-1_500_000, None], pa.duration("us")), "-PT1.5S"),
    "interval": (pa.array([NANOS, None], pa.month_day_nano_interval()), "P1Y2M3DT1M30.5S"),
}


@pytest.fixture
def run(capsys, monkeypatch):
    # What DuckDB takes for its own zone.
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("COLUMNS", "1000")
    return lambda *arguments: commands.here(capsys, *arguments)


@pytest.fixture
def log(log_dir):
    columns = {name: column for name, (column, _) in TIMES.items()}
    columns |= {
        "list": pa.array([[0, None], None], pa.list_(pa.timestamp("s"))),
        "struct": pa.array([{"at": 0, "for": 1}, None], pa.struct(NESTED)),
        "map": pa.array([[("a", [0])], None], pa.map_(pa.string(), pa.list_(pa.date32()))),
    }
    with respool.cache(pa.table(columns).to_reader(), path=log_dir / "log") as cache:
        cache.ingest_all()
    return log_dir / "log"


NESTED = [("at", pa.timestamp("us", "Asia/Tokyo")), ("for", pa.duration("s"))]

WANTED = {name: text for name, (_, text) in TIMES.items()} | {
    "list": ["1970-01-01T00:00:00", None],
    "struct": {"at": "1970-01-01T00:00:00+00:00", "for": "PT1S"},
}


def test_head_and_sql_write_the_same(run, log):
    by_head = run("head", log, "--json").json
    assert by_head[0] == {**WANTED, "map": [["a", ["1970-01-01"]]]}
    assert set(by_head[1].values()) == {None}
    by_sql = run("sql", "from log", log, "--json").json
    assert by_sql == by_head
    csv = run("head", log, "-f", "csv").out
    assert run("sql", "from log", log, "-f", "csv").out == csv
    table = run("sql", "from log", log).out
    assert all(text in csv and text in table for _, text in TIMES.values())


def test_times_within_every_nested_type_are_texts(log):
    kind = pa.timestamp("ns", "Europe/Zurich")
    one, two = "1970-01-01T00:00:00.000000001+00:00", "1970-01-01T00:00:00.000000002+00:00"
    pair = [1, 2]
    for nested in (
        pa.list_(kind),
        pa.large_list(kind),
        pa.list_(kind, 2),
        pa.list_view(kind),
        pa.large_list_view(kind),
    ):
        # Slices, and what is behind a null, are where offsets go wrong.
        column = pa.array([[5, 6], None, pair, [7, None]], nested)
        assert values(column.slice(1)) == [
            None,
            [one, two],
            ["1970-01-01T00:00:00.000000007+00:00", None],
        ], nested
    column = pa.array([[("x", 9)], None, [("a", 1), ("b", 2)]], pa.map_(pa.string(), kind))
    assert values(column.slice(1)) == [None, [["a", one], ["b", two]]]
    assert values(column.slice(3)) == []
    column = pa.array([{"t": 9}, None, {"t": 1}], pa.struct([("t", kind)]))
    assert values(column.slice(1)) == [None, {"t": one}]
    words = pa.array([1, None, 2, 1], kind).dictionary_encode()
    assert values(words.slice(1)) == [None, two, one]
    assert values(pa.array([{"x": pair}], pa.struct([("x", pa.list_(kind))]))) == [
        {"x": [one, two]}
    ]
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(pair, kind))
    assert values(runs.slice(1)) == [one, two]
    two_of_one_name = pa.StructArray.from_arrays([pa.array([1], kind)] * 2, names=["t", "t"])
    assert isinstance(values(two_of_one_name)[0], str)


def test_what_arrow_can_not_write_is_what_it_says(log):
    for zone in (None, "UTC", "Nowhere/Atall"):
        (text,) = values(pa.array([2**62], pa.timestamp("s", zone)))
        assert "out of range" in text
        assert not text.endswith("+00:00")
    assert values(pa.array([0], pa.timestamp("s", "Nowhere/Atall"))) == [
        "1970-01-01T00:00:00+00:00"
    ]


def test_spans_have_a_sign_where_they_go_back():
    hour = 3600 * 10**9
    assert span(0, 0, 0) == "PT0S"
    assert span(-14, -1, -hour - 1) == "-P1Y2M1DT1H0.000000001S"
    assert span(1, -2, -61 * 10**9) == "P1M-2DT-1M-1S"
    assert span(0, 1, 0) == "P1D"
    assert plain(dt.timedelta(days=-1, seconds=1)) == "-PT23H59M59S"
