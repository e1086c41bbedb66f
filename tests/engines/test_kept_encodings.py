"""Caches that keep other encodings only, in DuckDB and Polars: the answers are those of a plain cache."""

from decimal import Decimal

import duckdb
import polars as pl
import pyarrow as pa
import pytest

import respool
import respool.duckdb

IS_OLD = int(duckdb.__version__.partition(".")[0]) < 2
ROWS = 20_000
TABLE = pa.table(
    {
        "id": range(ROWS),
        "few": [None if i % 13 == 4 else f"kind {i % 7}" for i in range(ROWS)],
        "text": [f"{i:05} {'x' * (i % 23)}" for i in range(ROWS)],
        # The first batches have few distinct values, a later one has many.
        "grows": [f"value {i % 5 if i < 9000 else i}" for i in range(ROWS)],
        "price": pa.array([Decimal(i * 7).scaleb(-2) for i in range(ROWS)], pa.decimal128(12, 2)),
        "data": pa.array([bytes([i % 256]) * (i % 17) for i in range(ROWS)], pa.binary()),
    }
)
QUERIES = [
    "select count(*), min(text), max(grows), sum(price) from t",
    "select few, count(*), sum(price), max(data) from t group by few order by few",
    "select grows, count(*) from t where few = 'kind 3' group by grows order by all limit 50",
    "select id, text, price from t where price between 99.99 and 101 order by id",
    "select * from t where id between 8990 and 9010 order by id",
    "select count(*) from t a join t b using (grows)",
    "select id from t where grows = 'value 12345' or few is null and id < 100 order by id",
]
STORES = {
    "memory": {"memory": None, "disk": None},
    "log": {"memory": 0, "disk": "1 GiB", "allow_tmpfs": True},
}


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    options = STORES[request.param]
    return options | ({} if options["disk"] is None else {"directory": tmp_path})


def made(optimize, store, rows=1000):
    return respool.cache(TABLE.to_reader(rows), optimize=optimize, **store)


@pytest.mark.parametrize("optimize", ["duckdb", "views"])
@pytest.mark.parametrize("filled", [False, True])
def test_duckdb_answers_as_over_a_plain_cache(optimize, filled, store):
    with duckdb.connect() as con:
        con.register("t", TABLE)
        expected = [con.execute(sql).fetchall() for sql in QUERIES]
        con.unregister("t")
        for sql, answer in zip(QUERIES, expected, strict=True):
            cache = made(optimize, store)
            if filled:
                cache.ingest_all()
            respool.duckdb.register(con, "t", cache)
            # The first run of one that is not filled fills it.
            assert [con.execute(sql).fetchall() for _ in range(3)] == [answer] * 3
            con.unregister("t")
            cache.close()


def test_duckdb_answers_over_views(store):
    cache = made("duckdb", store)
    plain = made(None, {"memory": None, "disk": None})
    with duckdb.connect() as con:
        for shown in (
            lambda c: c.select("price", "few").slice(8500, 900),
            lambda c: c.filter([("few", "in", ["kind 1", "kind 6"])]).select("grows", "price"),
            lambda c: c.select("few", "price").cast(
                pa.schema({"few": pa.large_string(), "price": pa.decimal128(20, 3)})
            ),
            lambda c: c.filter([("id", ">", 500)]).slice(3, 10_000),
        ):
            for optimize in (False, True):
                answers = []
                for one in (cache, plain):
                    relation = respool.duckdb.relation(shown(one), con=con, optimize=optimize)
                    answers.append(sorted(relation.fetchall(), key=repr))
                assert answers[0] == answers[1] != []


@pytest.mark.skipif(IS_OLD, reason="DuckDB 1 has no sources")
def test_there_is_no_second_copy():
    cache = made("duckdb", {"memory": None, "disk": None})
    cache.ingest_all()
    before = cache.metrics()["memory_bytes"]
    with duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache, optimize=True)
        con.execute("select count(*), max(text) from t").fetchall()
    assert cache.metrics()["memory_bytes"] == before
    assert cache.metrics()["encoded_memory_bytes"] == 0


@pytest.mark.skipif(IS_OLD, reason="DuckDB 1 is not told how many rows there are")
@pytest.mark.parametrize("optimize", [None, "duckdb"])
def test_duckdb_is_told_about_how_many_rows_pass_a_filter(optimize):
    cache = made(optimize, {"memory": None, "disk": None})
    cache.ingest_all()
    with duckdb.connect() as con:

        def told(view):
            respool.duckdb.register(con, "t", view)
            (_, plan), *_ = con.execute("explain (format json) from t").fetchall()
            return int(plan.split('"Estimated Cardinality": "')[1].split('"')[0])

        assert told(cache) == ROWS
        # By zone maps alone: whole batches, and a part of one that is filtered.
        assert told(cache.filter([("id", "<", 3500)])) == 3500
        few = told(cache.filter([("few", "=", "kind 3")]))
        exactly = cache.filter([("few", "=", "kind 3")]).num_rows
        assert exactly * 0.8 < few < exactly * 1.2
        assert told(cache.filter([("id", "<", 0)])) == 0


@pytest.mark.skipif(IS_OLD, reason="DuckDB 1 has no sources")
def test_a_filter_that_was_declined_is_not_looked_at_again(monkeypatch):
    from respool._duckdb import source

    asked = []
    translated = source.predicate
    monkeypatch.setattr(
        source, "predicate", lambda node, view: asked.append(node) or translated(node, view)
    )
    cache = made(None, {"memory": None, "disk": None})
    with duckdb.connect() as con:
        respool.duckdb.register(con, "t", cache)
        query = "select count(*) from t where few = $1"
        # Of one that is filling nothing is remembered.
        assert (
            con.execute(query, ["kind 1"]).fetchall() == con.execute(query, ["kind 1"]).fetchall()
        )
        seen = len(asked)
        assert seen >= 1
        answers = [con.execute(query, [f"kind {i % 2}"]).fetchall() for i in range(6)]
        assert len(asked) == seen + 1
        assert answers[:2] * 3 == answers
        assert answers[0] != [(0,)]


@pytest.mark.parametrize("optimize", ["polars", "views", "duckdb"])
def test_polars_collects_as_over_a_plain_cache(optimize, store):
    frame = pl.from_arrow(TABLE)
    cache = made(optimize, store)
    lazy = cache.lazy()
    assert lazy.collect_schema() == frame.schema
    for _ in range(2):
        assert lazy.collect().equals(frame)
    chosen = pl.col("few") == "kind 3"
    assert (
        lazy.filter(chosen)
        .select("text", "data")
        .collect()
        .equals(frame.filter(chosen).select("text", "data"))
    )
    ends = pl.col("grows").str.ends_with("99")
    assert lazy.filter(ends).collect().equals(frame.filter(ends))
    assert cache.to_polars().equals(frame)


@pytest.mark.parametrize("optimize", ["duckdb", "views", "copy"])
def test_an_extension_is_given_as_text(optimize):
    name = {"ARROW:extension:name": "arrow.json", "ARROW:extension:metadata": ""}
    schema = pa.schema([pa.field("j", pa.string(), metadata=name)])
    data = pa.record_batch([['{"a": 1}', '{"a": 2}'] * 50], schema=schema)
    sql = "select count(*), max(j::varchar) from t"
    with duckdb.connect() as con:
        con.register("t", pa.Table.from_batches([data]))
        expected = con.execute(sql).fetchall()
        con.unregister("t")
        options = {} if optimize == "copy" else {"optimize": optimize}
        cache = respool.cache(data, **options)
        for _ in range(2):
            respool.duckdb.register(con, "t", cache, optimize=optimize == "copy")
            assert con.execute(sql).fetchall() == expected
            cache.ingest_all()
