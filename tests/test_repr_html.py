"""What a notebook shows: nothing of the source, nothing large, nothing that runs."""

import datetime as dt
import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest

import processes
import respool
from sources import SCHEMA, Source

BAD = "<script>alert('x')</script>\"'&"


class Page(HTMLParser):
    """Counts tags, and fails where they do not match."""

    VOID = frozenset({"br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def page(thing) -> Page:
    return Page(thing._repr_html_())


def test_a_cache_that_was_not_read_is_not_read_to_be_shown():
    source = Source(5)
    cache = respool.cache(source, schema=SCHEMA)
    for shown in (cache, cache.select("n"), cache.filter([("n", ">", 3)]), cache.slice(3, 2)):
        text = page(shown).text
        assert "filling" in text
        assert "not read yet" in text
        assert "First rows" not in text
    assert source.pulls == 0
    assert cache.metrics()["readers"] == 0


def test_first_rows_are_those_that_are_stored(make):
    source = Source(5)
    cache = make(source)
    next(iter(cache))
    text = page(cache).text
    assert "row 0" in text
    assert "row 4" in text
    assert "row 5" not in text
    assert source.pulls == 1
    assert re.search(r"1 (in memory|in the log)", text)
    assert "not read yet" in text


def test_views_show_their_own_rows_and_columns(make):
    cache = make(Source(5))
    cache.ingest_all()
    assert "row 0" not in page(cache.select("n")).text
    sliced = page(cache.slice(250, 2)).text
    assert "row 250" in sliced
    assert "row 251" in sliced
    assert "row 252" not in sliced
    filtered = page(cache.filter([("n", ">=", 103)])).text
    assert "row 103" in filtered
    assert "row 102" not in filtered
    assert "at most 500" in filtered
    cast = page(cache.cast(pa.schema({"n": pa.float64(), "s": pa.string()}))).text
    assert "double" in cast
    assert "0.0" in cast
    assert "First rows" not in page(cache.filter([("n", ">", 10**9)])).text


def test_a_picture_is_no_reader_of_a_cache_that_lets_go_what_was_read():
    cache = respool.StreamCache(Source(4).reader(), max_readers=1)
    reader = cache.reader()
    next(reader)
    for _ in range(3):
        page(cache)
    assert [batch.num_rows for batch in reader] == [100] * 3
    text = page(cache).text
    assert "let go" in text


def test_the_bar_tells_where_batches_are(log_dir):
    cache = respool.cache(Source(200), schema=SCHEMA, memory=100_000, directory=log_dir)
    cache.ingest_all()
    told = cache.metrics()
    text = page(cache).text
    assert f"{told['batches_in_memory']} in memory" in text
    assert f"{200 - told['batches_in_memory']} in the log" in text
    assert "not read yet" not in text
    places = cache._portrait(0, 0)["places"]
    assert len(places) == 60
    assert sum(batches for batches, _, _ in places) == 200
    assert sum(memory for _, memory, _ in places) == told["batches_in_memory"]
    assert all(memory + log == batches for batches, memory, log in places)
    # Memory gave up the oldest ones.
    assert places[0][1] == 0
    assert places[-1][2] == 0


def test_failures_are_told():
    cache = respool.cache(Source(5, fail_at=2, error=ValueError(BAD)), schema=SCHEMA)
    with pytest.raises(ValueError, match="script"):
        cache.ingest_all()
    shown = page(cache)
    assert "failed" in shown.text
    assert BAD in shown.text
    assert "script" not in shown.tags
    cache.close()
    assert "closed" in page(cache).text


def test_nothing_in_names_values_and_metadata_is_taken_for_html(log_dir):
    schema = pa.schema(
        [
            pa.field(BAD, pa.string(), metadata={BAD: BAD}),
            pa.field("s", pa.struct([(BAD, pa.string())])),
            pa.field("l", pa.list_(pa.binary())),
            pa.field("d", pa.dictionary(pa.int8(), pa.string())),
            pa.field("t", pa.timestamp("s", "<b>")),
        ],
        metadata={BAD: BAD},
    )
    batch = pa.record_batch(
        [
            pa.array([BAD]),
            pa.array([{BAD: BAD}]),
            pa.array([[BAD.encode()]]),
            pa.array([BAD]).dictionary_encode().cast(schema.field("d").type),
            pa.array([0], pa.timestamp("s", "<b>")),
        ],
        schema=schema,
    )
    path = log_dir / "<img src=x onerror=alert(1)>"
    cache = respool.cache([batch], schema=schema, path=path, metadata={BAD: [BAD]})
    cache.ingest_all()
    for shown in (cache, cache.prefix(), cache.select(BAD)):
        seen = page(shown)
        assert {"script", "img", "b"} & set(seen.tags) == {"b"}
        assert seen.tags.count("b") == 1
        assert seen.text.count("alert('x')") >= 3


def test_it_is_small_whatever_it_shows():
    columns = {f"column {'x' * 1000} {i}": pa.array([b"\0" * 1_000_000]) for i in range(3)}
    columns |= {f"c{i}": pa.array(["y" * 1000]) for i in range(1500)}
    columns["deep"] = pa.array([[{"a": [list(range(1000))] * 100}] * 100])
    wide = pa.table(columns)
    cache = respool.cache(wide.replace_schema_metadata({f"k{i}": "v" * 10_000 for i in range(99)}))
    cache.ingest_all()
    text = cache._repr_html_()
    assert len(text) < 60_000
    assert "and 1,464 more" in text
    assert "1,000,000 B" in page(cache.select(0)).text
    deep = page(cache.select("deep")).text
    assert "100" in deep
    assert len(deep) < 3000
    many = pa.schema({"s": pa.struct([(f"f{i}", pa.int8()) for i in range(5000)])})
    assert "struct of 5,000 fields" in page(respool.cache([], schema=many)).text


VALUES = {
    "null": (pa.array([None], pa.int8()), "null"),
    "float": (pa.array([0.1]), "0.1"),
    "decimal": (pa.array([1], pa.decimal128(10, 2)), "1.00"),
    "time": (pa.array([dt.datetime(2026, 5, 1, tzinfo=dt.UTC)]), "2026-05-01 00:00:00"),
    "far time": (pa.array([2**60], pa.timestamp("s")), "timestamp[s]"),
    "list": (pa.array([[1, None, 3, 4]]), "[1, null, 3, … 4]"),
    "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), "[{key: k, value: 1}]"),
    "struct": (pa.array([{"a": 1, "b": "x"}]), "{a: 1, b: x}"),
    "binary": (pa.array([b"ab"]), "61 62 (2 B)"),
    "view": (pa.array(["viewed"], pa.string_view()), "viewed"),
    "fixed": (pa.array([b"abc"], pa.binary(3)), "61 62 63 (3 B)"),
    "dictionary": (pa.array(["d"]).dictionary_encode(), "d"),
    "bool": (pa.array([True]), "True"),
    "lines": (pa.array(["a\nb\u202ec"]), "a\N{SYMBOL FOR SUBSTITUTE}b\N{SYMBOL FOR SUBSTITUTE}c"),
    "fixed list": (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "[1, 2]"),
    "run ends": (pa.RunEndEncodedArray.from_arrays([1], ["run"]), "run"),
    "union": (pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([7])]), "7"),
    "uuid": (pa.array([b"0123456789abcdef"], pa.uuid()), "30 31 32"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_every_kind_is_shown(name):
    array, shown = VALUES[name]
    cache = respool.cache(pa.record_batch({"x": array}))
    cache.ingest_all()
    assert shown in page(cache).text


def test_bounded_also_where_a_type_has_no_columns():
    schema = pa.schema([])
    cache = respool.cache(pa.table({"x": [1]})).select()
    cache.ingest_all()
    assert "0 columns" in page(cache).text
    assert "0 columns" in page(respool.cache([], schema=schema)).text


def test_named_caches_are_shown(log_dir):
    with respool.named("orders", lambda: pa.table({"x": [1]}), directory=log_dir, key="<k>") as c:
        c.ingest_all()
        assert "orders" in page(c).text
    (listed,) = respool.ls(log_dir)
    text = page(listed).text
    assert "named orders" in text
    assert "complete" in text
    assert "'<k>'" in text


CHILD = """
import os, sys
import respool
from sources import SCHEMA, Source

cache = respool.cache(Source(3), schema=SCHEMA)
kept = respool.cache(Source(3), schema=SCHEMA, path=sys.argv[1])
for one in (cache, kept):
    one.ingest_all()
ENGINES = {"duckdb", "polars", "pandas"}
before = ENGINES & set(sys.modules)
if os.fork() == 0:
    print("of the parent process" in repr(cache), "of the parent process" in cache._repr_html_())
    print("complete" in repr(kept), "row 4" in kept._repr_html_(), flush=True)
    os._exit(0)
os.wait()
(repr(cache), cache._repr_html_(), kept._repr_html_())
print(ENGINES & set(sys.modules) == before)
"""


def test_a_forked_child_is_told_without_a_lock_and_no_engine_is_imported(log_dir):
    told = processes.run(CHILD, log_dir / "kept").split()
    assert told == ["True"] * 5
