"""DuckDB replays a cache by every door it has, as often as a query needs."""

import duckdb
import pyarrow as pa
import pytest

from sources import Source, expected

COUNT_AND_SUM = (500, sum(range(500)))


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        yield connection


def test_from_a_local_variable(make, con):
    cache = make(Source())
    for _ in range(2):
        assert con.sql("select count(*), sum(n) from cache").fetchall() == [COUNT_AND_SUM]


def test_duckdb_table(make):
    cache = make(Source())
    for _ in range(2):
        relation = duckdb.table("cache")
        assert relation.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]


def test_register(make, con):
    con.register("t", make(Source()))
    for _ in range(2):
        assert con.execute("select count(*), sum(n) from t").fetchone() == COUNT_AND_SUM


def test_from_arrow(make, con):
    relation = con.from_arrow(make(Source()))
    assert relation.aggregate("count(*), sum(n)").fetchall() == [COUNT_AND_SUM]
    assert relation.filter("n < 5").order("n").project("n").fetchall() == [(n,) for n in range(5)]


def test_views_are_tables_too(make, con):
    con.register("t", make(Source()).select(["s"]).slice(100, 50))
    assert con.execute("select count(*), min(s) from t").fetchone() == (50, "row 100")


MANY_SCANS = {
    "self join": ("select count(*) from t a join t b on a.n = b.n + 1", 499),
    "union all": ("select count(*) from (from t union all from t)", 1000),
    "common table": ("with c as (from t) select count(*) from c a, c b where a.n = b.n", 500),
    "asof join": ("select count(*) from t a asof join t b on a.n >= b.n", 500),
    "correlated": (
        "select count(*) from t a where n = (select max(n) from t b where b.s = a.s)",
        500,
    ),
    "recursive": (
        (
            "with recursive r(n) as (select 0 union all select t.n from r join t on t.n = r.n + 1 where t.n < 20) "
            "select count(*) from r"
        ),
        20,
    ),
}


@pytest.mark.parametrize("name", MANY_SCANS)
def test_queries_that_scan_more_than_once(make, con, name):
    sql, answer = MANY_SCANS[name]
    source = Source()
    con.register("t", make(source))
    assert con.execute(sql).fetchone() == (answer,)
    assert source.pulls == 6


def test_a_relation_shown_and_then_fetched(make, con):
    con.register("t", make(Source()))
    relation = con.sql("select * from t order by n")
    assert "row 0" in str(relation)
    assert len(relation.fetchall()) == 500


def test_a_limit_reads_no_more_than_it_needs(make, con):
    source = Source(50, rows=5000)
    con.register("t", make(source))
    assert len(con.execute("select * from t limit 5").fetchall()) == 5
    # DuckDB 1 pulls on for a moment, on threads of its own.
    assert source.pulls <= 25


def test_a_duckdb_query_is_a_source(make, con):
    result = con.cursor().sql("select range as n, 'row ' || range as s from range(500)")
    cache = make(result)
    for _ in range(2):
        assert pa.table(cache).cast(expected(5).schema).equals(expected(5).combine_chunks())
        assert con.sql("select count(*), sum(n) from cache").fetchall() == [COUNT_AND_SUM]


def test_an_error_of_the_source_is_an_error_of_the_query(make, con):
    con.register("t", make(Source(5, fail_at=3)))
    for _ in range(3):
        with pytest.raises(duckdb.Error, match="no batch 3"):
            con.execute("select sum(n) from t").fetchall()
