"""A filter that a cache takes over gives the rows that DuckDB would have given.

``RESPOOL_PREDICATES=20000 pytest -s tests/engines/test_duckdb_predicates.py`` runs more of them.
"""

import os
from collections import Counter

import duckdb
import pytest

import respool
import respool.duckdb
from predicates import Predicates, table

QUERIES = int(os.environ.get("RESPOOL_PREDICATES", "1500"))
SEED = int(os.environ.get("RESPOOL_SEED", "1"))
# The struct column is asked for its fields.
FIELDS = ("st.a", "st.b.c", "st.b.d", "st.e")

pytest.importorskip("duckdb._sources", reason="DuckDB 1 offers no filters to a source of ours")


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute("set threads = 2; set timezone = 'America/New_York'")
        yield connection


def literals(con, rows):
    """The values of each column of what is registered as `peer`, as SQL texts."""
    found = {}
    for column in [*(name for name in rows.schema.names if name not in ("rid", "st")), *FIELDS]:
        cast = f"'''' || replace({column}::varchar, '''', '''''') || '''::' || typeof({column})"
        if (
            str(con.execute(f"select any_value(typeof({column})) from peer").fetchone()[0])
            == "BLOB"
        ):
            cast = f"'''' || {column}::varchar || '''::BLOB'"
        texts = con.execute(
            f"select distinct {cast} t from peer where {column} is not null order by 1"
        )
        found[column] = [text for (text,) in texts.fetchall() if "\x00" not in text]
    return found


def statements(draw):
    """One query, as what to run before, what to run, and what to run after."""
    if draw.choose(0.15):
        left, right = draw.clause(2, "a."), draw.clause(2, "b.")
        yield f"select a.rid, b.rid from {{0}} a join {{0}} b using (rid) where {left} and {right}"
    elif draw.choose(0.2):
        column, other = draw.column(), draw.clause(1)
        condition = f"{column} {draw.operator()} $v and {other}"
        kind = draw.value(column).rpartition("::")[2]
        yield f"prepare p_{{0}} as select rid from {{0}} where {condition.replace('$v', f'$v::{kind}')}"
        for _ in range(2):
            yield f"execute p_{{0}}(v := {draw.value(column)})"
        yield "deallocate p_{0}"
    else:
        yield f"select rid from {{0}} where {draw.clause()}"


def rows_of(con, name, sql):
    """The rows in order, or how DuckDB refused."""
    try:
        return sorted(con.execute(sql.format(name)).fetchall())
    except duckdb.Error as error:
        return type(error).__name__


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("tier", ["memory", "log", "optimized"])
def test_random_predicates(con, log_dir, monkeypatch, tier):
    from respool._duckdb.source import ViewSource

    rows = table(SEED)
    options = {"memory_capacity": 1, "disk_path": log_dir, "disk_capacity": "64 MiB"}
    cache = respool.StreamCache(rows.to_reader(), **(options if tier == "log" else {}))
    cache.ingest_all()
    con.register("peer", rows)
    respool.duckdb.register(con, "ours", cache, optimize=tier == "optimized")
    asked = Counter()
    accepts = ViewSource.accepts

    def counted(self, node):
        answer = accepts(self, node)
        asked[answer] += 1
        return answer

    monkeypatch.setattr(ViewSource, "accepts", counted)
    draw = Predicates(literals(con, rows), f"{SEED} {tier}")
    queries = refused = 0
    while queries < QUERIES // 3:
        queries += 1
        for sql in statements(draw):
            theirs = rows_of(con, "peer", sql)
            assert rows_of(con, "ours", sql) == theirs, sql
            refused += isinstance(theirs, str)
    print(  # noqa: T201
        f"{tier}: {queries} queries, {asked[True]} filters accepted, {asked[False]} declined, "
        f"{refused} statements refused by DuckDB"
    )
    assert min(asked[True], asked[False]) > queries / 10
    assert refused < queries / 10
