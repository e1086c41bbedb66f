"""`respool.duckdb`: what DuckDB is told, and what it then reads."""

import subprocess
import sys
import threading
import time
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

import respool
import respool.duckdb
from sources import Source

IS_OLD = int(duckdb.__version__.partition(".")[0]) < 2
needs_a_source = pytest.mark.skipif(
    IS_OLD, reason="DuckDB 1 has no sources: it asks an Arrow object for nothing but a stream"
)
COUNT_AND_SUM = (500, sum(range(500)))


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def without_sources(monkeypatch):
    """Make DuckDB's private module missing, as it may be one day."""
    for name in ("respool._duckdb.source", "respool._duckdb.translate"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "duckdb._sources", None)
    monkeypatch.setitem(sys.modules, "duckdb._sources.nodes", None)


def one(con, *query):
    """The only row: DuckDB keeps a connection busy until it is told that there is no other."""
    (row,) = con.execute(*query).fetchall()
    return row


def plan(con, sql):
    return con.execute(f"explain {sql}").fetchall()[0][1]


def test_register(make, con):
    relation = respool.duckdb.register(con, "t", make(Source()))
    assert relation.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]
    for _ in range(2):
        assert one(con, "select count(*), sum(n) from t") == COUNT_AND_SUM


def test_registering_again_replaces(con):
    respool.duckdb.register(con, "t", respool.cache(Source().reader()))
    respool.duckdb.register(con, "t", respool.cache(Source(1).reader()))
    assert one(con, "select count(*) from t") == (100,)


@pytest.mark.parametrize("name", ["two words", 'quo"ted', "select", "a.b", '"'])
def test_any_name(con, name):
    cache = respool.cache(Source().reader())
    quoted = name.replace('"', '""')
    respool.duckdb.register(con, name, cache)
    assert one(con, f'select count(*) from "{quoted}"') == (500,)
    con.unregister(name)
    respool.duckdb.materialize(con, name, cache)
    assert one(con, f'select count(*) from "{quoted}"') == (500,)


def test_relation(make, con):
    cache = make(Source())
    for relation in (respool.duckdb.relation(cache, con=con), cache.to_duckdb(con)):
        assert relation.filter("n < 5").order("n").project("n").fetchall() == [
            (n,) for n in range(5)
        ]


def test_relation_of_the_default_connection(make):
    cache = make(Source())
    for relation in (respool.duckdb.relation(cache), cache.to_duckdb(), cache.slice(0).to_duckdb()):
        assert relation.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]


def test_views(make, con):
    cache = make(Source())
    cast = pa.schema({"s": pa.large_string(), "n": pa.float64()})
    views = {
        "selected": cache.select(["s", "n"]),
        "sliced": cache.slice(150, 100),
        "other": cache.select(["s", "n"]).cast(cast),
        "part": cache.prefix(),
    }
    for name, view in views.items():
        respool.duckdb.register(con, name, view)
    for _ in range(2):
        assert one(con, "select sum(n), min(s) from selected") == (
            COUNT_AND_SUM[1],
            "row 0",
        )
        assert one(con, "select count(*), min(n) from sliced") == (100, 150)
        assert con.execute("select typeof(n), n from other where n >= 499.0").fetchall() == [
            ("DOUBLE", 499.0)
        ]
        assert one(con, "select count(*) from sliced where n between 120 and 200") == (51,)
        assert one(con, "select count(*) from part") == (0,)


MANY_SCANS = {
    "self join": ("select count(*) from t a join t b on a.n = b.n + 1", 499),
    "union all": ("select count(*) from (from t union all from t)", 1000),
    "common table": ("with c as (from t) select count(*) from c a, c b where a.n = b.n", 500),
    "not materialized": (
        "with c as not materialized (from t) select count(*) from c a join c b using (n)",
        500,
    ),
    "asof join": ("select count(*) from t a asof join t b on a.n >= b.n", 500),
    "correlated": (
        "select count(*) from t a where n = (select max(n) from t b where b.s = a.s)",
        500,
    ),
    "lateral": (
        "select count(*) from t a, lateral (select n m from t b where b.n = a.n + 1)",
        499,
    ),
    "recursive": (
        (
            "with recursive r(n) as (select 0 union all select t.n from r join t on t.n = r.n + 1 "
            "where t.n < 20) select count(*) from r"
        ),
        20,
    ),
    "pivot": (
        (
            "select count(*) from (pivot (select n % 2 as odd, n // 10 as ten, n from t) "
            "on odd using sum(n) group by ten)"
        ),
        50,
    ),
    "filters on each side": (
        "select count(*) from t a join t b using (n) where a.n < 300 and b.n >= 200",
        100,
    ),
    "anti join": ("select count(*) from t where n not in (select n + 1 from t)", 1),
}


@pytest.mark.parametrize("name", MANY_SCANS)
def test_queries_that_scan_more_than_once(make, con, name):
    sql, answer = MANY_SCANS[name]
    source = Source()
    respool.duckdb.register(con, "t", make(source))
    for _ in range(2):
        assert one(con, sql) == (answer,)
    assert source.pulls == 6


def test_a_prepared_statement_with_other_values(make, con):
    cache = make(Source(50, rows=10))
    cache.ingest_all()
    respool.duckdb.register(con, "t", cache)
    con.execute("prepare p as select count(*) from t where n >= $1 and n < $2")
    for low, high in ((0, 10), (10, 500), (20, 25), (600, 700)):
        expected = max(0, min(high, 500) - low)
        assert one(con, f"execute p({low}, {high})") == (expected,)
        sql = "select count(*) from t where n >= ? and n < ?"
        assert one(con, sql, [low, high]) == (expected,)


def test_a_relation_shown_and_then_fetched(make, con):
    source = Source()
    relation = respool.duckdb.relation(make(source), con=con).order("n")
    assert "row 0" in str(relation)
    assert len(relation.fetchall()) == 500
    assert source.pulls == 6


def test_the_plain_object_goes_on_working(make, con):
    cache = make(Source())
    for _ in range(2):
        assert con.sql("select count(*), sum(n) from cache").fetchall() == [COUNT_AND_SUM]
        relation = duckdb.table("cache")
        assert relation.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]


# --- what DuckDB is told ---


@needs_a_source
def test_the_planner_knows_how_many_rows(make, con):
    cache = make(Source())
    respool.duckdb.register(con, "t", cache)
    assert "~0 rows" in plan(con, "from t")
    cache.batch(1)
    assert "~200 rows" in plan(con, "from t")
    cache.ingest_all()
    assert "~500 rows" in plan(con, "from t")


@needs_a_source
def test_only_the_columns_asked_for_are_read(make, con, monkeypatch):
    from respool._duckdb.source import ViewSource

    asked = []
    stream = ViewSource.stream

    def spied(self, columns, filters):
        asked.append((columns and list(columns), [node.fragment() for node in filters]))
        return stream(self, columns, filters)

    monkeypatch.setattr(ViewSource, "stream", spied)
    cache = make(Source(50, rows=10))
    cache.ingest_all()
    respool.duckdb.register(con, "t", cache)
    assert one(con, "select sum(n) from t") == (COUNT_AND_SUM[1],)
    assert con.execute("select s from t where n = 77").fetchall() == [("row 77",)]
    assert asked == [([0], []), ([1], ['("n" = 77)'])]


@needs_a_source
def test_zone_maps_take_over_a_filter_that_they_decide(make, con):
    cache = make(Source(50, rows=10))
    respool.duckdb.register(con, "t", cache)
    selective = "select s from t where n between 77 and 78"
    assert "FILTER" in plan(con, selective).upper().replace("FILTERS", "")
    cache.ingest_all()
    assert "Filters:" in plan(con, selective)
    assert con.execute(selective).fetchall() == [("row 77",), ("row 78",)]
    # Every batch has such rows and others: DuckDB's filter is faster.
    table = pa.table({"n": range(5000), "m": [n % 7 for n in range(5000)]})
    spread = make(table.to_reader(100))
    spread.ingest_all()
    respool.duckdb.register(con, "t", spread)
    assert "Filters:" in plan(con, "select n from t where n < 150")
    assert "Filters:" not in plan(con, "select n from t where m < 3")


@pytest.mark.parametrize("sources", [True, False], ids=["source", "without sources"])
def test_asking_for_filters_reads_nothing(request, con, sources):
    if not sources:
        request.getfixturevalue("without_sources")
    source = Source()
    respool.duckdb.register(con, "t", respool.cache(source.reader()))
    plan(con, "select * from t where n < 5 and s is not null")
    assert source.pulls == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_a_limit_pulls_one_batch(make, con, threads):
    con.execute(f"set threads = {threads}")
    source = Source(50, rows=5000)
    respool.duckdb.register(con, "t", make(source))
    assert len(con.execute("select * from t limit 5").fetchall()) == 5
    assert source.pulls <= (1 if not IS_OLD else 10)


def test_an_error_of_the_source_is_an_error_of_the_query(make, con):
    respool.duckdb.register(con, "t", make(Source(5, fail_at=3)))
    for _ in range(3):
        with pytest.raises(duckdb.Error, match="no batch 3"):
            con.execute("select sum(n) from t where n < 10").fetchall()


def test_a_closed_cache_is_an_error(make, con):
    cache = make(Source())
    respool.duckdb.register(con, "t", cache)
    cache.close()
    with pytest.raises(duckdb.Error, match="closed"):
        con.execute("select sum(n) from t").fetchall()


DOORS = {
    "register": lambda con, cache: respool.duckdb.register(con, "t", cache),
    "relation": lambda con, cache: respool.duckdb.relation(cache, con=con),
    "materialize": lambda con, cache: respool.duckdb.materialize(con, "t", cache, replace=True),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_closed_cache_is_refused_and_touches_nothing(con, door):
    respool.duckdb.register(con, "t", respool.cache(Source().reader()))
    closed = respool.cache(Source().reader())
    view = closed.slice(1)
    closed.close()
    for given in (closed, view):
        with pytest.raises(ValueError, match="the cache is closed"):
            DOORS[door](con, given)
    assert one(con, "select count(*), sum(n) from t") == COUNT_AND_SUM
    assert [name for (name,) in con.execute("show tables").fetchall()] == ["t"]


@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_cache_is_a_type_error(con, door):
    cache = respool.cache(Source().reader())
    for given in (pa.table({"n": [1]}), cache.reader(), None):
        with pytest.raises(TypeError, match=rf"^{door} takes a cache .*respool\.cache\("):
            DOORS[door](con, given)
    assert con.execute("show tables").fetchall() == []


def test_a_failing_register_leaves_no_name(con):
    class Failing:
        register, unregister = con.register, con.unregister

        def view(self, name):
            raise duckdb.CatalogException("taken away meanwhile")

    with pytest.raises(duckdb.CatalogException, match="taken away"):
        respool.duckdb.register(Failing(), "t", respool.cache(Source().reader()))
    assert con.execute("show tables").fetchall() == []


def test_a_name_with_a_dot_is_not_a_table_of_a_schema(con):
    con.execute("create table q as select 43 as a")
    relation = respool.duckdb.register(con, "main.q", respool.cache(Source().reader()))
    assert relation.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]


# --- without DuckDB's private module ---


def test_without_sources_a_complete_cache_is_a_table(make, con, without_sources):
    cache = make(Source())
    cache.ingest_all()
    respool.duckdb.register(con, "t", cache, optimize=True)
    assert one(con, "select count(*), sum(n) from t") == COUNT_AND_SUM
    if not IS_OLD and make.tier == "memory":
        assert "~500 rows" in plan(con, "from t")


def test_without_sources_an_unread_cache_is_a_stream(make, con, without_sources):
    source = Source()
    respool.duckdb.register(con, "t", make(source))
    assert source.pulls == 0
    for _ in range(2):
        assert one(con, "select count(*), sum(n) from t where n >= 0") == COUNT_AND_SUM
    assert source.pulls == 6


# --- encodings ---

PRICES = pa.schema(
    {
        "price": pa.decimal128(15, 2),
        "tax": pa.decimal128(5, 2),
        "mode": pa.string(),
        "comment": pa.large_string(),
        "raw": pa.binary(),
        "wide": pa.decimal128(38, 2),
    }
)


def prices(rows=4000, batches=5):
    def values(start):
        at = range(start, start + rows)
        return [
            [None if n % 97 == 0 else Decimal(n).scaleb(-2) for n in at],
            [Decimal(n % 100).scaleb(-2) for n in at],
            [
                None if n % 89 == 0 else ("RAIL", "SHIP", "REG AIR", "a much longer name")[n % 4]
                for n in at
            ],
            [f"comment number {n}" for n in at],
            [b"%d" % n for n in at],
            [Decimal(n).scaleb(-2) for n in at],
        ]

    made = [
        pa.record_batch(
            [pa.array(v, t) for v, t in zip(values(i * rows), PRICES.types, strict=True)],
            schema=PRICES,
        )
        for i in range(batches)
    ]
    return pa.Table.from_batches(made)


QUERIES = (
    "select mode, count(*), sum(price), sum(tax), max(wide) from {} group by all order by all",
    "select * from {} where price between 10.00 and 10.05 order by comment",
    "select count(*) from {} where mode = 'RAIL' and price < 1.00",
    "select comment, raw from {} where mode is null order by comment limit 7",
)


@pytest.mark.parametrize("when", ["before", "after"])
def test_optimized_answers_are_the_same(make, con, when):
    table = prices()
    con.register("peer", table)
    cache = (
        make(table.to_reader(), memory_capacity="64 MiB")
        if make.tier == "memory"
        else make(table.to_reader())
    )
    if when == "before":
        cache.ingest_all()
    respool.duckdb.register(con, "t", cache, optimize=True)
    if when == "after":
        assert cache.ingested_count == 0
        assert len(con.execute("select * from t limit 5").fetchall()) == 5
    for _ in range(2):
        for sql in QUERIES:
            assert (
                con.execute(sql.format("t")).fetchall()
                == con.execute(sql.format("peer")).fetchall()
            )
    assert pa.table(cache).equals(table)
    assert cache.schema == PRICES


@needs_a_source
def test_what_is_encoded(con):
    cache = respool.StreamCache(prices().to_reader())
    cache.ingest_all()
    encoded = cache._encoded()
    text = pa.dictionary(pa.uint8(), pa.string_view())
    decimals = (pa.decimal64(15, 2), pa.decimal32(5, 2))
    views = (pa.string_view(), pa.binary_view())
    assert encoded.schema.types == [*decimals, text, *views, pa.decimal128(38, 2)]
    assert encoded.schema.names == PRICES.names
    assert encoded.num_batches == cache.num_batches


@needs_a_source
def test_without_room_nothing_is_encoded(con):
    table = prices()
    cache = respool.StreamCache(table.to_reader(), memory_capacity=table.nbytes + 40_000)
    cache.ingest_all()
    before = cache.metrics()["memory_bytes"]
    respool.duckdb.register(con, "t", cache, optimize=True)
    assert one(con, "select count(price) from t") == (20_000 - 207,)
    assert cache.metrics()["memory_bytes"] == before


@needs_a_source
def test_encoded_once_and_closed_with_the_cache(con):
    cache = respool.StreamCache(prices().to_reader())
    cache.ingest_all()
    respool.duckdb.register(con, "t", cache, optimize=True)
    respool.duckdb.register(con, "u", cache, optimize=True)
    assert cache.metrics()["log_bytes"] == 0
    cache.close()
    with pytest.raises(duckdb.Error, match="closed"):
        con.execute("select sum(price) from t").fetchall()


# --- tables of DuckDB's own ---


def test_materialize(make, con):
    source = Source()
    cache = make(source)
    table = respool.duckdb.materialize(con, "t", cache)
    assert table.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]
    with pytest.raises(duckdb.CatalogException):
        respool.duckdb.materialize(con, "t", cache)
    respool.duckdb.materialize(con, "t", cache.slice(0, 10), replace=True)
    assert one(con, "select count(*) from t") == (10,)
    assert source.pulls == 6
    assert one(con, "select count(*) from duckdb_views() where view_name like 'respool%'") == (0,)


def test_materialize_for_good(con, tmp_path):
    cache = respool.cache(Source().reader())
    con.execute(f"attach '{tmp_path / 'a.db'}' as a; use a")
    respool.duckdb.materialize(con, "kept", cache, temporary=False)
    con.execute("use memory; detach a")
    with duckdb.connect(tmp_path / "a.db", read_only=True) as again:
        assert one(again, "select count(*) from kept") == (500,)


# --- results of DuckDB's own ---


def test_from_query(con):
    con.execute("create table n as select range as n, 'row ' || range as s from range(500)")
    cache = respool.duckdb.from_query(con, "select * from n where n < $most", {"most": 300})
    assert one(con, "select count(*) from n") == (500,)
    for _ in range(2):
        assert con.sql("select count(*) from cache").fetchall() == [(300,)]
        respool.duckdb.register(con, "t", cache)
        assert con.sql("select count(*) from t join n using (n)").fetchall() == [(300,)]


@pytest.mark.parametrize(
    ("rows", "error"),
    [((1, 5), TypeError), ("5", TypeError), (None, TypeError), (0, ValueError), (-1, ValueError)],
)
def test_from_query_takes_a_number_of_rows(con, rows, error):
    with pytest.raises(error, match="batch_rows is how many rows DuckDB gives at a time"):
        respool.duckdb.from_query(con, "select 1", batch_rows=rows)


def test_from_query_is_lazy_and_leaves_the_connection_free(con):
    cache = respool.duckdb.from_query(con, "from range(50_000_000) t(n)", batch_rows=10_000)
    assert cache.batch(0).num_rows <= 10_240
    assert one(con, "select 1") == (1,)
    assert not cache.complete
    cache.close()


@pytest.mark.parametrize("sql", ["", "-- nothing"])
def test_from_query_takes_a_query(con, sql):
    # DuckDB 1 says it by itself.
    with pytest.raises((ValueError, duckdb.Error), match=r"gives no rows|No open result|result"):
        respool.duckdb.from_query(con, sql)


def test_from_query_says_what_its_cursor_does_not_see(con):
    respool.duckdb.register(con, "t", respool.cache(pa.table({"n": [1]})))
    with pytest.raises(duckdb.CatalogException) as caught:
        respool.duckdb.from_query(con, "from t")
    (note,) = caught.value.__notes__
    assert "registered" in note
    assert "variables" in note


def test_from_query_says_why_a_temporary_table_is_not_there(con):
    con.execute("create temp table mine as select 1")
    with pytest.raises(duckdb.CatalogException) as raised:
        respool.duckdb.from_query(con, "from mine")
    assert "cursor of its own" in raised.value.__notes__[0]


# --- what DuckDB can't scan ---


def struct(**fields):
    return pa.struct(list(fields.items()))


UNSCANNABLE = {
    "half": (pa.float16(), "float32"),
    "huge": (pa.decimal256(50, 2), r"decimal128\(38, 2\)"),
    "negative": (pa.decimal128(5, -2), r"decimal128\(7, 0\)"),
    "union": (pa.dense_union([pa.field("a", pa.int64())]), "sparse union"),
    "inside": (pa.list_(struct(h=pa.float16())), "float32"),
    "numbered": (pa.dictionary(pa.int8(), struct(a=pa.int8())), "cast"),
}


@pytest.mark.parametrize("name", UNSCANNABLE)
@pytest.mark.parametrize("door", ["register", "relation", "materialize"])
def test_what_duckdb_cannot_scan_is_named(con, name, door):
    kind, hint = UNSCANNABLE[name]
    schema = pa.schema({"fine": pa.int64(), name: kind})
    cache = respool.StreamCache(iter(()), schema=schema)
    open_door = {
        "register": lambda: respool.duckdb.register(con, "t", cache),
        "relation": lambda: respool.duckdb.relation(cache, con=con),
        "materialize": lambda: respool.duckdb.materialize(con, "t", cache),
    }[door]
    with pytest.raises(TypeError, match=f"column '{name}'.*{hint}.*select"):
        open_door()
    respool.duckdb.register(con, "t", cache.select(["fine"]))
    assert one(con, "select count(*) from t") == (0,)


def test_the_cast_that_is_named_works(con):
    table = pa.table({"huge": pa.array([Decimal("1.50")], pa.decimal256(50, 2))})
    cache = respool.StreamCache(table.to_reader())
    view = cache.cast(pa.schema({"huge": pa.decimal128(38, 2)}))
    respool.duckdb.register(con, "t", view)
    assert con.execute("from t").fetchall() == [(Decimal("1.50"),)]


def test_no_columns(con):
    cache = respool.StreamCache(Source().reader())
    with pytest.raises(ValueError, match="select at least one"):
        respool.duckdb.register(con, "t", cache.select([]))


# --- interrupts and the end ---


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_returns_within_a_pull(con, threads):
    con.execute(f"set threads = {threads}")
    source = Source(100, stall_at=1, stall=1.0)
    respool.duckdb.register(con, "t", respool.cache(source.reader()))

    def interrupt():
        source.stalling.wait()
        con.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    with pytest.raises(duckdb.Error, match=r"(?i)interrupt"):
        con.execute("select sum(n) from t").fetchall()
    assert time.monotonic() - began < 4
    thread.join()
    assert one(con, "select count(*) from t") == (10_000,)


AT_EXIT = """
import sys
import duckdb, pyarrow as pa, respool, respool.duckdb
con = duckdb.connect()
batches = (pa.record_batch({"n": list(range(1000))}) for _ in range(10))
cache = respool.cache(
    batches, schema=pa.schema({"n": pa.int64()}), memory=1, disk="64 MiB", directory=sys.argv[1]
)
respool.duckdb.register(con, "t", cache)
respool.duckdb.register(duckdb.default_connection(), "t", cache)
if sys.argv[2] == "read":
    print(con.execute("select count(*) from t").fetchall(), duckdb.sql("from t").shape)
else:
    print(con.execute("select n from t limit 1").fetchall())
result = respool.duckdb.from_query(con, "from range(10_000_000) t(n)")
print(result.batch(0).num_rows > 0)
kept = cache.to_duckdb()
"""


@pytest.mark.parametrize(
    "how",
    [
        "read",
        pytest.param(
            "begun",
            marks=pytest.mark.skipif(
                IS_OLD,
                reason="DuckDB 1 pulls on after a LIMIT, and into the end of the interpreter",
            ),
        ),
    ],
)
def test_nothing_hangs_and_nothing_is_left_at_exit(log_dir, how):
    command = [sys.executable, "-c", AT_EXIT, str(log_dir), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True\n")
    assert not list(log_dir.iterdir())
