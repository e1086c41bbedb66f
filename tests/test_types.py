"""Every Arrow type comes back equal, from memory and from the log, sliced or not."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import respool
from arrow_types import ARRAYS, LENGTH

SLICES = [(0, LENGTH), (3, 6), (0, 0), (LENGTH - 1, 1)]


@pytest.fixture(scope="module", params=["memory", "log", "compressed"])
def replay(request, tmp_path_factory):
    """Send batches through a cache and back, twice."""
    directory = tmp_path_factory.mktemp("logs")

    def send(schema: pa.Schema, batches: list[pa.RecordBatch]) -> pa.Table:
        options = {"disk": None}
        if request.param != "memory":
            options = {"memory": 1, "disk": "64 MiB", "directory": directory}
        if request.param == "compressed":
            options["compression"] = "zstd"
        with respool.cache(pa.RecordBatchReader.from_batches(schema, batches), **options) as cache:
            first, again = pa.table(cache), pa.table(cache)
            assert first.schema.equals(schema, check_metadata=True)
            first.validate(full=True)
            assert again.equals(first)
            return first

    return send


@pytest.mark.parametrize("name", ARRAYS)
def test_every_type(replay, name):
    schema = pa.schema([pa.field("x", ARRAYS[name].type)])
    whole = pa.RecordBatch.from_arrays([ARRAYS[name]], schema=schema)
    parts = [whole.slice(*part) for part in SLICES]
    table, sent = replay(schema, parts), pa.Table.from_batches(parts)
    # A dictionary may come back smaller: then its values are what counts.
    assert table.equals(sent) or table.to_pylist() == sent.to_pylist()


@pytest.mark.parametrize("wrap", [lambda array: pa.chunked_array([array]), lambda array: array])
@pytest.mark.parametrize("part", [*SLICES, (0, 2)])
def test_a_sliced_struct_as_the_batch_itself(wrap, part):
    structs = pa.array([{"a": i, "b": str(i)} for i in range(LENGTH)]).slice(*part)
    with respool.cache(wrap(structs)) as cache:
        assert pa.table(cache).to_pylist() == structs.to_pylist()


OFFSETS = [pa.string(), pa.binary(), pa.large_string(), pa.large_binary()]
OFFSETS += [pa.list_(pa.int8()), pa.large_list(pa.int8()), pa.map_(pa.int8(), pa.int8())]


@pytest.mark.parametrize("data_type", OFFSETS, ids=str)
def test_no_rows_whose_offsets_are_an_empty_buffer(replay, data_type):
    """The format allows it, and files of Arrow 0.14 have it. What lies behind the buffer is not read."""
    empty = pa.py_buffer(b"\x7f" * 64).slice(0, 0)
    if pa.types.is_nested(data_type):
        children = [pa.array([], data_type.field(i).type) for i in range(data_type.num_fields)]
        array = pa.Array.from_buffers(data_type, 0, [None, empty], children=children)
    else:
        array = pa.Array.from_buffers(data_type, 0, [None, empty, empty])
    schema = pa.schema({"x": data_type})
    batch = pa.RecordBatch.from_arrays([array], schema=schema)
    assert replay(schema, [batch, batch]).num_rows == 0


def test_no_columns(replay):
    schema = pa.schema([])
    batches = [
        pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([]))) for rows in (3, 0, 5)
    ]
    assert replay(schema, batches).num_rows == 8


def test_no_rows(replay):
    schema = pa.schema([(name, array.type) for name, array in ARRAYS.items()])
    assert replay(schema, []).num_rows == 0


def test_a_dictionary_that_changes_from_batch_to_batch(replay):
    schema = pa.schema({"d": pa.dictionary(pa.int32(), pa.string())})
    batches = [
        pa.record_batch([pa.array(words).dictionary_encode()], schema=schema)
        for words in (["a", "b", "a"], ["c"], ["b", None], [], ["d", "a"])
    ]
    values = replay(schema, batches)["d"].to_pylist()
    assert values == ["a", "b", "a", "c", "b", None, "d", "a"]


SCALARS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(st.none(), st.text(max_size=40))
COLUMNS = st.fixed_dictionaries(
    {
        "n": SCALARS,
        "s": TEXTS,
        "l": st.one_of(st.none(), st.lists(TEXTS, max_size=4)),
        "t": st.one_of(
            st.none(), st.fixed_dictionaries({"a": SCALARS, "b": st.lists(SCALARS, max_size=3)})
        ),
    }
)
NESTED = pa.struct({"a": pa.int64(), "b": pa.list_(pa.int64())})
RANDOM = pa.schema(
    {"n": pa.int64(), "s": pa.string_view(), "l": pa.list_(pa.string()), "t": NESTED}
)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(COLUMNS, max_size=30), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_random_rows_cut_anywhere(replay, rows, cuts):
    whole = pa.RecordBatch.from_pylist(rows, schema=RANDOM)
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [whole.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    assert replay(RANDOM, parts).to_pylist() == rows
