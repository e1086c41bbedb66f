"""Views that are filtered, sliced after that, and read by every engine: as pyarrow does it to a table."""

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import respool
import respool.duckdb
import respool.polars

N = pc.field("n")
SIZE = 5000
BATCH = 100


@pytest.fixture(scope="module")
def rows():
    return pa.table(
        {
            "n": range(SIZE),
            "g": [None if n % 19 == 0 else n % 7 for n in range(SIZE)],
            "f": [float("nan") if n % 11 == 0 else n / 3 for n in range(SIZE)],
            "s": [
                None if n % 17 == 0 else ("a", "b", "longer than a view")[n % 3]
                for n in range(SIZE)
            ],
        }
    )


VIEWS = {
    "a run of batches": lambda view, keep: keep(view, (N >= 1234) & (N < 2345)),
    "some of each batch": lambda view, keep: keep(view, pc.field("g") == 3),
    "none": lambda view, keep: keep(view, N < 0),
    "all": lambda view, keep: keep(view, N >= 0),
    "with and without NULL": lambda view, keep: keep(view, ~(pc.field("s") == "a")),
    "sliced after": lambda view, keep: keep(view, pc.field("g") == 3).slice(17, 300),
    "sliced to nothing": lambda view, keep: keep(view, N > 4990).slice(400),
    "sliced before": lambda view, keep: keep(view.slice(950, 2000), pc.field("f") > 400.0),
    "sliced before and after": lambda view, keep: keep(
        view.slice(950), pc.field("f") > 400.0
    ).slice(30, 999),
    "other columns": lambda view, keep: (
        keep(view, pc.field("g") < 2).select(["s", "n"]).slice(5, 50)
    ),
    "twice": lambda view, keep: keep(keep(view, N > 1000), pc.field("g") == 1).slice(3, 40),
}


@pytest.fixture(params=VIEWS)
def both(request, make, rows):
    """A view, and the table that it shows."""
    cache = make(rows.to_reader(max_chunksize=BATCH), **sizes(make))
    change = VIEWS[request.param]
    view = change(cache, lambda view, condition: view.filter(condition))
    return view, change(rows, lambda table, condition: table.filter(condition))


def sizes(make) -> dict[str, object]:
    return {"memory_capacity": "64 MiB"} if make.tier == "memory" else {}


def values(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Rows in which NaN is what it is."""
    return [tuple("nan" if value != value else value for value in row) for row in rows]  # noqa: PLR0124


def in_rows(table: pa.Table) -> list[tuple[object, ...]]:
    return values([tuple(row.values()) for row in table.to_pylist()])


@pytest.mark.parametrize("read", ["before", "meanwhile"])
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_lazy_frames(both, engine, read):
    view, expected = both
    if read == "before":
        view.ingest_all()
    frame = respool.polars.scan(view)
    later = expected.filter(pc.field("n") > 1500)
    for _ in range(2):
        assert in_rows(frame.collect(engine=engine).to_arrow()) == in_rows(expected)
        found = frame.filter(pl.col("n") > 1500).collect(engine=engine)
        assert in_rows(found.to_arrow()) == in_rows(later)
        assert frame.select(pl.len()).collect(engine=engine).item() == expected.num_rows
        assert frame.select("n").sum().collect(engine=engine).item() == (
            pc.sum(expected["n"]).as_py() or 0
        )
        head = frame.slice(2, 9).select("s").collect(engine=engine)
        assert head["s"].to_list() == expected.slice(2, 9)["s"].to_pylist()
        assert frame.join(frame, on="n").collect(engine=engine).height == expected.num_rows


@pytest.mark.parametrize("read", ["before", "meanwhile"])
@pytest.mark.parametrize("optimize", [True, False], ids=["encoded", "as it is"])
@pytest.mark.parametrize("door", ["register", "relation"])
def test_relations(both, door, optimize, read):
    view, expected = both
    if read == "before":
        view.ingest_all()
    later = expected.filter(pc.field("n") > 1500)
    with duckdb.connect() as con:
        if door == "register":
            relation = respool.duckdb.register(con, "t", view, optimize=optimize)
        else:
            relation = respool.duckdb.relation(view, con=con, optimize=optimize)
        for _ in range(2):
            assert values(relation.order("n").fetchall()) == in_rows(expected)
            found = relation.filter("n > 1500").order("n").fetchall()
            assert values(found) == in_rows(later)
            assert relation.aggregate("count(*), sum(n)").fetchall() == [
                (expected.num_rows, pc.sum(expected["n"]).as_py())
            ]
            texts = relation.filter("s = 'a' or s is null").aggregate("count(*)").fetchall()
            kept = expected.filter((pc.field("s") == "a") | pc.field("s").is_null())
            assert texts == [(kept.num_rows,)]


@pytest.mark.parametrize("temporary", [True, False])
def test_tables(both, temporary):
    view, expected = both
    with duckdb.connect() as con:
        table = respool.duckdb.materialize(con, "t", view, temporary=temporary)
        assert values(table.order("n").fetchall()) == in_rows(expected)
