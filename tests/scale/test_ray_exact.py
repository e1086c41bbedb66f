"""What Ray shows of a log is what pyarrow shows of it."""

from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scale_logs import kept

import arrow_types
import respool

pytest.importorskip("ray.data")


def table_of(dataset):
    return pa.concat_tables(
        list(dataset.iter_batches(batch_size=None, batch_format="pyarrow")),
        promote_options="default",
    )


def ids_of(dataset):
    return sorted(row["id"] for row in dataset.select_columns(["id"]).take_all())


def reads(dataset):
    """What the read takes over of the plan, as Ray says it after planning."""
    from ray.data._internal.logical.optimizers import LogicalOptimizer

    plan = LogicalOptimizer().optimize(dataset._logical_plan)
    names, at = [], plan.dag
    while True:
        names.append(type(at).__name__)
        if not at.input_dependencies:
            return names
        (at,) = at.input_dependencies


@pytest.fixture(scope="module")
def whole(log):
    with respool.open(log) as cache:
        return cache.to_arrow()


def test_rows_and_columns(ray, log, whole):
    for dataset in (respool.ray.read(log), respool.ray.read(log, blocks=1)):
        assert dataset.count() == whole.num_rows
        assert dataset.schema().names == whole.schema.names
        assert table_of(dataset).sort_by("id").equals(whole.combine_chunks())
    assert respool.ray.read(log, columns=["s", "id"]).schema().names == ["s", "id"]
    assert respool.ray.read(log).select_columns(["k"]).sum("k") == pc.sum(whole["k"]).as_py()


@pytest.mark.parametrize(
    "given", [{"filters": [("id", "<", 3)]}, {"column": ["id"], "num_cpus": 1}]
)
def test_an_option_that_nobody_has_is_not_passed_over(ray, log, given):
    with pytest.raises(TypeError, match=rf"read\(\) has no argument '{next(iter(given))}'"):
        respool.ray.read(log, **given)


@pytest.mark.parametrize("blocks", [0, -1, 1.5, "2", True])
def test_blocks_are_a_number(log, blocks):
    with pytest.raises(
        (TypeError, ValueError), match=f"blocks is a number from 1 on, not {blocks!r}"
    ):
        respool.ray.read(log, blocks=blocks)


def test_a_log_that_is_to_be_kept_has_a_path():
    with pytest.raises(
        TypeError, match=r"path is where the log shall be, not None: .*respool\.cache"
    ):
        respool.ray.cache(pa.table({"n": [1]}), None)


def test_no_columns_have_rows(ray, log, whole):
    for dataset in (respool.ray.read(log, columns=[]), respool.ray.read(log).select_columns([])):
        assert dataset.count() == whole.num_rows
        assert sum(len(block) for block in map(list, [dataset.take_all()])) == whole.num_rows


EXPRESSIONS = {
    "comparison": lambda col: col("k") < 10,
    "range": lambda col: (col("id") >= 55_555) & (col("id") < 77_777),
    "text": lambda col: col("s") == "w0013",
    "either": lambda col: (col("id") < 5) | (col("s") == "w0003"),
    "not": lambda col: ~(col("k") < 990),
    "in": lambda col: col("k").is_in([1, 2, 3]),
    "not in": lambda col: col("k").not_in([1, 2, 3]),
    "null": lambda col: col("s").is_null(),
    "not null": lambda col: col("s").is_not_null(),
    "nothing": lambda col: col("id") < 0,
    "float": lambda col: col("x") > 0.99,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_filters_are_taken_over_and_exact(ray, log, whole, name):
    from ray.data.expressions import col

    expression = EXPRESSIONS[name](col)
    expected = sorted(whole.filter(expression.to_pyarrow())["id"].to_pylist())
    dataset = respool.ray.read(log).filter(expr=expression)
    assert reads(dataset)[-1] == "Read"
    assert "Filter" not in reads(dataset)
    assert dataset.count() == len(expected)
    assert ids_of(dataset) == expected
    assert ids_of(respool.ray.read(log, filter=expression.to_pyarrow())) == expected


def test_what_can_not_be_told_exactly_is_left_to_ray(ray, log, whole):
    from ray.data.expressions import col

    expression = (col("k") + 1 > 995) & (col("id") < 50_000)
    dataset = respool.ray.read(log).filter(expr=expression)
    assert "Filter" in reads(dataset)
    assert ids_of(dataset) == whole.filter(expression.to_pyarrow())["id"].to_pylist()
    with pytest.raises(ValueError, match="cannot filter by"):
        respool.ray.read(log, filter=pc.field("k") + 1 > 995)


def test_filters_after_a_projection_and_a_filter(ray, log, whole):
    from ray.data.expressions import col

    dataset = respool.ray.read(log, filter=[("k", "<", 100)], columns=["id", "s"])
    dataset = dataset.filter(expr=col("id") < 40_000).filter(expr=col("s") == "w0001")
    assert "Filter" not in reads(dataset)
    expected = whole.filter((pc.field("k") < 100) & (pc.field("id") < 40_000))
    expected = expected.filter(pc.field("s") == "w0001").select(["id", "s"])
    assert expected.num_rows > 0
    assert table_of(dataset).sort_by("id").equals(expected.combine_chunks())
    # A column that was taken away is none to filter by.
    with pytest.raises(Exception, match="k"):
        respool.ray.read(log, columns=["id"]).filter(expr=col("k") < 5).take_all()


def test_limits(ray, log):
    from ray.data.expressions import col

    assert respool.ray.read(log).limit(7).count() == 7
    assert len(respool.ray.read(log).filter(expr=col("k") < 10).limit(7).take_all()) == 7
    assert respool.ray.read(log).filter(expr=col("id") < 5).limit(7).count() == 5


def test_nan_and_null_as_in_pyarrow(ray, tmp_path):
    from ray.data.expressions import col

    values = [1.0, None, float("nan"), -1.0, 0.0, 2.0]
    path = kept(tmp_path / "log", pa.table({"id": range(6), "x": values}))
    table = pa.table({"id": range(6), "x": values})
    for expression in (col("x") > 0, col("x") <= 0, col("x") != 1.0, ~(col("x") > 0)):
        dataset = respool.ray.read(path).filter(expr=expression)
        assert "Filter" not in reads(dataset)
        unpushed = ray.data.from_arrow(table).filter(expr=expression)
        assert ids_of(dataset) == ids_of(unpushed)
        assert ids_of(dataset) == table.filter(expression.to_pyarrow())["id"].to_pylist()


@pytest.mark.parametrize("sizes", [[], [0], [0, 0, 3, 0], [5, 0]])
def test_batches_of_no_rows(ray, tmp_path, sizes):
    schema = pa.schema({"id": pa.int64(), "s": pa.string()})
    source = [
        pa.record_batch([list(range(n)), [str(i) for i in range(n)]], schema=schema) for n in sizes
    ]
    path = kept(tmp_path / "log", pa.RecordBatchReader.from_batches(schema, source))
    dataset = respool.ray.read(path)
    assert dataset.count() == sum(sizes)
    assert dataset.schema().names == ["id", "s"]
    assert respool.ray.read(path, columns=[]).count() == sum(sizes)
    assert ids_of(dataset) == sorted(i for n in sizes for i in range(n))
    assert respool.ray.read(path, filter=[("id", ">=", 0)]).count() == sum(sizes)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_compressed_logs(ray, tmp_path, compression):
    table = pa.table({"id": range(10_000)})
    path = kept(tmp_path / "log", table.to_reader(1000), compression=compression)
    assert ids_of(respool.ray.read(path)) == list(range(10_000))


def test_many_small_batches_share_blocks(ray, tmp_path):
    path = kept(tmp_path / "log", pa.table({"id": range(5000)}).to_reader(5))
    counts = respool.ray.read(path, blocks=2).map_batches(
        lambda table: pa.table({"rows": [table.num_rows]}),
        batch_format="pyarrow",
        batch_size=None,
    )
    assert [row["rows"] for row in counts.take_all()] == [2500, 2500]


TYPES = arrow_types.ARRAYS


@pytest.mark.parametrize("name", TYPES)
def test_every_type_that_ray_takes(ray, tmp_path, name):
    array = TYPES[name]
    table = pa.table({"value": array})
    path = kept(tmp_path / "log", table)

    def seen(dataset):
        blocks = dataset.map_batches(
            lambda table: table, batch_format="pyarrow", batch_size=None, zero_copy_batch=True
        )
        return table_of(blocks)["value"].combine_chunks()

    try:
        theirs = seen(ray.data.from_arrow(table))
    except Exception as error:
        with pytest.raises(type(error)):
            seen(respool.ray.read(path))
        return
    ours = seen(respool.ray.read(path))
    assert ours.type == theirs.type
    assert ours.to_pylist() == theirs.to_pylist() == array.to_pylist()


def test_most_types_are_taken(ray, tmp_path):
    """The test above is not passed by refusals."""
    taken = 0
    for array in TYPES.values():
        with suppress(Exception):
            ray.data.from_arrow(pa.table({"value": array})).take_all()
            taken += 1
    assert taken >= 0.8 * len(TYPES)
