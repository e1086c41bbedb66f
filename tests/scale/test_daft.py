"""What Daft shows of a log is what pyarrow shows of it."""

import datetime as dt
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scale_logs import batches, kept

import arrow_types
import respool
from respool.exceptions import IncompleteStreamError

daft = pytest.importorskip("daft")


@pytest.fixture(scope="module")
def whole(log):
    with respool.open(log) as cache:
        return cache.to_arrow()


def ids_of(frame):
    return sorted(frame.select("id").to_pydict()["id"])


def test_rows_and_columns(log, whole):
    frame = respool.daft.read(log)
    assert frame.column_names == whole.schema.names
    assert frame.count_rows() == whole.num_rows
    shown = frame.sort("id").to_arrow().cast(whole.schema)
    assert shown.combine_chunks().equals(whole.combine_chunks())
    assert respool.daft.read(log, columns=["s", "id"]).column_names == ["s", "id"]
    assert frame.agg(daft.col("k").sum()).to_pydict() == {"k": [pc.sum(whole["k"]).as_py()]}
    assert respool.daft.read(log, tasks=1).count_rows() == whole.num_rows
    assert len(frame.limit(7).to_pydict()["id"]) == 7


CONDITIONS = {
    "comparison": ("k", lambda k: k < 10),
    "range": ("id", lambda n: (n >= 55_555) & (n < 77_777)),
    "text": ("s", lambda s: s == "w0013"),
    "nothing": ("id", lambda n: n < 0),
    "not": ("id", lambda n: ~(n < 199_990)),
    "float": ("x", lambda x: x > 0.99),
    "sum": ("k", lambda k: k + 1 > 995),
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("columns", [["id"], ["id", "k"], ["id", "x", "k", "s"]])
def test_filters(log, whole, name, columns):
    column, condition = CONDITIONS[name]
    expected = whole.filter(condition(pc.field(column)))["id"].to_pylist()
    frame = respool.daft.read(log).where(condition(daft.col(column)))
    assert frame.count_rows() == len(expected)
    assert ids_of(frame.select(*columns)) == expected
    if name != "sum":
        ours = respool.daft.read(log, filter=condition(pc.field(column)), columns=["id"])
        assert ids_of(ours) == expected


def planned(frame_source, condition):
    """The rows that tasks are made for."""
    import asyncio

    from daft.io.pushdowns import Pushdowns

    async def rows():
        tasks = [task async for task in frame_source.get_tasks(Pushdowns(filters=condition))]
        return sum(n for task in tasks for _, n in task._part.spans)

    return asyncio.run(rows())


def test_zone_maps_leave_batches_out_before_tasks_are_made(log):
    from respool._scan.place import found
    from respool.daft import LogSource

    source = LogSource(found(log, None, prefix=False), ["id", "x"], (), 4)
    assert planned(source, None) == 200_000
    assert planned(source, daft.col("id") == 123_456) == 20_000
    assert planned(source, (daft.col("id") < 30_000) & (daft.col("s") == "w0001")) in (
        40_000,
        200_000,
    )
    # Of what engines see differently nothing is left out.
    assert planned(source, daft.col("x") > 5.0) == 200_000


@pytest.mark.parametrize("tasks", [0, -1, 1.5, "2", True])
def test_tasks_are_a_number(log, tasks):
    with pytest.raises(
        (TypeError, ValueError), match=f"tasks is a number from 1 on, not {tasks!r}"
    ):
        respool.daft.read(log, tasks=tasks)


def test_no_columns_have_rows(log):
    """A batch without columns would lose its rows, so one column is read."""
    import asyncio

    from daft.io.pushdowns import Pushdowns

    from respool._scan.place import found
    from respool.daft import LogSource

    source = LogSource(found(log, None, prefix=False), ["id", "x"], (), 4)

    async def columns():
        return {task._part.columns async for task in source.get_tasks(Pushdowns(columns=[]))}

    assert asyncio.run(columns()) == {("id",)}


def test_nan_null_and_dates_as_daft_sees_them(tmp_path):
    """A log with zone maps of every column shows what the same table in memory shows."""
    values = [1.0, None, float("nan"), -1.0]
    days = [dt.date(2026, 1, day) for day in (1, 2, 3)] + [None]
    table = pa.table({"id": range(4), "x": values, "d": days, "n": [None, 1, 2, 3]})
    path = kept(tmp_path / "log", table.to_reader(1))
    with respool.open(path) as cache:
        for column in table.schema.names:
            cache.filter(pc.field(column).is_valid()).to_arrow()
    assert len(list(path.glob("_zones.*"))) == 4
    in_memory = daft.from_arrow(table)
    col = daft.col
    conditions = [
        col("x") > 0, col("x") <= 0, col("x") != 1.0, ~(col("x") > 0), col("x").is_null(),
        col("d") >= dt.date(2026, 1, 2), ~(col("d") >= dt.date(2026, 1, 2)), col("d").is_null(),
        col("n") > 1, ~(col("n") > 1), col("n").is_in([1, 2]), ~col("n").is_in([1, None]),
        col("n").not_null(), (col("n") == 1) | col("n").is_null(), col("n") > 1.5,
    ]  # fmt: skip
    for condition in conditions:
        assert ids_of(respool.daft.read(path).where(condition)) == ids_of(
            in_memory.where(condition)
        )


TYPES = arrow_types.ARRAYS


@pytest.mark.parametrize("name", TYPES)
def test_every_type_that_daft_takes(tmp_path, name):
    table = pa.table({"value": TYPES[name]})
    path = kept(tmp_path / "log", table)
    if name in ("sparse union", "dense union", "extension", "uuid"):
        with pytest.raises(TypeError, match="leave it out"):
            respool.daft.read(path)
        return
    try:
        theirs = daft.from_arrow(table).to_arrow()["value"].combine_chunks()
    except BaseException:
        with pytest.raises(BaseException):  # noqa: B017, PT011 - Daft's own, a panic among them
            respool.daft.read(path).to_arrow()
        return
    ours = respool.daft.read(path).to_arrow()["value"].combine_chunks()
    assert ours.type == theirs.type
    assert ours.equals(theirs)


def test_most_types_are_taken():
    taken = 0
    for array in TYPES.values():
        with suppress(BaseException):
            daft.from_arrow(pa.table({"value": array}))
            taken += 1
    assert taken >= 0.7 * len(TYPES)


@pytest.mark.parametrize("sizes", [[], [0], [0, 3, 0]])
def test_batches_of_no_rows(tmp_path, sizes):
    schema = pa.schema({"id": pa.int64()})
    source = [pa.record_batch([list(range(n))], schema=schema) for n in sizes]
    path = kept(tmp_path / "log", pa.RecordBatchReader.from_batches(schema, source))
    assert respool.daft.read(path).to_pydict() == {"id": list(range(sum(sizes)))}
    assert respool.daft.read(path).count_rows() == sum(sizes)


def test_an_unfinished_log_and_the_process_that_fills_it(tmp_path):
    cache = respool.cache(batches(4, 1000), path=tmp_path / "log", schema="first")
    reader = cache.reader()
    next(reader), next(reader)
    with pytest.raises(IncompleteStreamError, match="prefix=True"):
        respool.daft.read(tmp_path / "log")
    assert respool.daft.read(tmp_path / "log", prefix=True).count_rows() == 2000
    cache.ingest_all()
    assert respool.daft.read(tmp_path / "log").count_rows() == 4000
    cache.close()


def test_another_log_in_its_place_fails(tmp_path):
    path = kept(tmp_path / "log", pa.table({"id": [1]}))
    frame = respool.daft.read(path)
    import pickle

    from respool._scan.part import Part
    from respool._scan.place import found

    part = pickle.loads(pickle.dumps(Part.of(found(path, None, prefix=False), [(0, 1)])))
    assert [batch.num_rows for batch in part.batches()] == [1]
    path.rename(tmp_path / "aside")
    kept(path, pa.table({"id": [7]}))
    # Who holds the log goes on with it; another process does not find it.
    assert frame.to_pydict() == {"id": [1]}
    code = "import pickle, sys; list(pickle.loads(bytes.fromhex(sys.argv[1])).batches())"
    import processes

    child = processes.start(code, pickle.dumps(part).hex())
    _, said = child.communicate(timeout=30)
    assert child.returncode != 0
    assert "another log is there than the one that was planned" in said
