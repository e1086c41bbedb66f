"""What is served comes out elsewhere as it went in."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import flight

import filtering
import flying
import processes
import respool
import respool.flight
from arrow_types import ARRAYS
from respool._flight import marks, predicates, ranges, tickets
from respool._flight.constants import from_json, to_json
from sources import SCHEMA, Source, batch, expected, rows_of

STRANGE = (
    "dictionary",
    "run_end",
    "extension",
    "uuid",
    "month_day",
    "float16",
    "halffloat",
    "decimal32",
    "decimal64",
)
"""Types of which no constant is sent, beside nested ones."""


@pytest.fixture(scope="module")
def numbers():
    """A whole cache of five batches, and its server."""
    with respool.cache(Source(), schema=SCHEMA) as cache, flying.served(cache) as server:
        cache.ingest_all()
        yield server.uri, cache


@pytest.mark.parametrize("place", ["memory", "log"])
def test_every_type_and_batches_of_no_rows_come_as_they_are(place, log_dir):
    columns = list(ARRAYS.values())
    schema = pa.schema(
        [pa.field(name, array.type, metadata={"of": name}) for name, array in ARRAYS.items()],
        metadata={"the": "schema"},
    )
    whole = pa.RecordBatch.from_arrays(columns, schema=schema)
    parts = [whole, whole.slice(0, 0), whole.slice(3, 6), whole.slice(5, 1), whole.slice(0, 0)]
    source = pa.RecordBatchReader.from_batches(schema, parts)
    path = log_dir / "log" if place == "log" else None
    with (
        respool.cache(source, path=path) as cache,
        flying.served(cache) as server,
        respool.flight.open(server.uri) as there,
    ):
        found = list(there)
        assert there.schema.equals(schema, check_metadata=True)
        assert [one.num_rows for one in found] == [12, 0, 6, 1, 0]
        for one, sent in zip(found, parts, strict=True):
            one.validate(full=True)
            assert one.to_pylist() == sent.to_pylist()


def test_dictionaries_that_change_from_batch_to_batch():
    schema = pa.schema([("d", pa.dictionary(pa.int8(), pa.string()))])
    words = [["a", "b"], [], ["b", "c", None], ["c"], ["a", "a"]]
    parts = [
        pa.record_batch(
            [pa.array(some, pa.string()).dictionary_encode().cast(schema[0].type)], schema=schema
        )
        for some in words
    ]
    source = pa.RecordBatchReader.from_batches(schema, parts)
    with respool.cache(source) as cache, flying.served(cache, range_bytes=1) as server:
        for columns in (None, ["d"]):
            with respool.flight.open(server.uri, columns=columns) as there:
                assert [one["d"].to_pylist() for one in there] == words


@pytest.mark.parametrize("batches", [0, 1])
def test_a_stream_of_nothing_with_a_dictionary(batches):
    schema = pa.schema([("d", pa.dictionary(pa.int8(), pa.string())), ("n", pa.int64())])
    parts = [marks.empty(schema)] * batches
    source = pa.RecordBatchReader.from_batches(schema, parts)
    with (
        respool.cache(source) as cache,
        flying.served(cache) as server,
        respool.flight.open(server.uri) as there,
    ):
        assert there.ingest_all() == batches
        assert there.complete


def test_columns_and_none_at_all(numbers):
    uri, _ = numbers
    with respool.flight.open(uri, columns=["s", 0]) as there:
        assert pa.table(there).equals(expected(5).select(["s", "n"]))
    with respool.flight.open(uri, columns=[]) as there:
        assert [one.num_rows for one in there] == [100] * 5
        assert there.column_names == []
    with pytest.raises(ValueError, match="no column"):
        respool.flight.open(uri, columns=["q"])
    # Letter by letter it would be the columns s and n.
    with pytest.raises(TypeError, match="columns is a list of names"):
        respool.flight.open(uri, columns="sn")


VIEWS = {
    "columns": lambda cache: cache.select("s"),
    "cast": lambda cache: cache.cast(pa.schema({"n": pa.float32(), "s": pa.large_string()})),
    "slice": lambda cache: cache.slice(30, 240),
    "rows": lambda cache: cache.filter([("n", "in", [3, 5, 250]), ("s", "!=", "row 5")]),
    "nothing": lambda cache: cache.filter([("n", "<", 0)]),
    "slice of rows": lambda cache: cache.filter([("n", ">", 99)]).slice(10, 70).select("n"),
    "prefix": lambda cache: cache.prefix(),
}


@pytest.mark.parametrize("is_read", [True, False], ids=["whole", "growing"])
@pytest.mark.parametrize("name", VIEWS)
def test_views(name, is_read):
    with respool.cache(Source(), schema=SCHEMA) as cache:
        cache.batch(4 if is_read else 1)
        if is_read:
            cache.ingest_all()
        view = VIEWS[name](cache)
        with flying.served(view, range_bytes=1) as server:
            with respool.flight.open(server.uri) as there:
                assert there.schema == view.schema
                found = list(there)
            assert [one.num_rows for one in found] == [one.num_rows for one in view]
            assert pa.Table.from_batches(found, view.schema).equals(pa.table(view))
            assert sum(one.num_rows for one in flying.plain(server.uri)) == pa.table(view).num_rows


def test_filters_go_to_the_server_and_pass_the_same_rows():
    table = pa.table(filtering.COLUMNS)
    with respool.cache(table) as cache, flying.served(cache) as server:
        for condition in (
            [("int64", ">", 0), ("text", "not in", ["b"])],
            [[("berlin", ">=", filtering.NOON_UTC)], [("date", "==", filtering.DAY)]],
            (pc.field("float64") > 0) & ~pc.field("bool"),
            pc.field("float64").is_nan() | pc.field("text").is_null(),
            pc.field("bytes").isin([b"b", b"ba"]),
            pc.starts_with(pc.field("text"), "b"),
            [("uint64", "!=", 2), ("time", "<", filtering.COLUMNS["time"][4].as_py())],
        ):
            wanted = pa.table(cache.filter(condition))
            with respool.flight.open(server.uri, filter=condition) as there:
                # As text: NaN is not equal to itself.
                assert str(pa.table(there).to_pydict()) == str(wanted.to_pydict())
                assert there.num_rows == wanted.num_rows < table.num_rows


def test_filters_that_cannot_be_sent_say_so(numbers):
    uri, _ = numbers
    with pytest.raises(TypeError, match=r"cannot send builtins[.]str as a filter"):
        respool.flight.open(uri, filter="n > 1")
    with pytest.raises(ValueError, match=r"cannot send a filter by add_checked"):
        respool.flight.open(uri, filter=pc.field("n") + 1 > 2)
    with pytest.raises(ValueError, match="65536 is the most"):
        respool.flight.open(uri, filter=[("n", "in", list(range(100_000)))])
    deep = pc.field("n") > 1
    for _ in range(100):
        deep = ~deep
    with pytest.raises(ValueError, match="nested more than"):
        respool.flight.open(uri, filter=deep)
    with pytest.raises(ValueError, match="no column"):
        respool.flight.open(uri, filter=[("q", ">", 1)])


@pytest.mark.parametrize("name", ARRAYS)
def test_constants_come_back_or_are_refused(name):
    array = ARRAYS[name]
    if pa.types.is_nested(array.type) or name.startswith(STRANGE):
        with pytest.raises(ValueError, match="cannot send a filter with a constant"):
            to_json(array)
        return
    form = to_json(array)
    again = from_json(json.loads(json.dumps(form)))
    assert again.type == array.type
    assert again.to_pylist() == array.to_pylist()


def test_trees_that_are_none_are_refused():
    good = predicates.to_form([("n", ">", 1)])
    assert str(predicates.to_expression(good)) == "(n > 1)"
    deep = good
    for _ in range(500):
        deep = ["invert", deep]
    for form in (
        [],
        None,
        7,
        ["field"],
        ["field", 1],
        ["__class__", good],
        ["equal", good],
        ["is", ["int64", [1, 2]]],
        ["is", ["timestamp", [1]]],
        ["is", [["decimal128", 99, 2], ["1"]]],
        ["cast", good, "int8"],
        deep,
        ["is_in", ["field", "n"], "values", True],
        ["is", ["int64", [True]]],
        ["and"],
        ["is", [[], []]],
        # Nulls that a few words ask for, and that take gigabytes.
        ["is_in", ["field", "n"], [["fixed_size_binary", 1 << 28], [None] * 3], True],
        ["is", [["fixed_size_binary", 1 << 28], [None]]],
    ):
        with pytest.raises(predicates.PredicateError):
            predicates.to_expression(form)


def test_a_range_is_written_as_the_engine_writes_it(log_dir):
    with respool.cache(Source(300, rows=1), schema=SCHEMA, path=log_dir / "log") as cache:
        nothing = cache.prefix()
        for end in (1, 127, 128, 300):
            cache.batch(end - 1)
            for view in (cache, cache.select("n"), cache.filter([("n", ">", 5)])):
                assert view.prefix()._saved() == ranges._before_range(view) + ranges._range(0, end)
        view = cache._restored(ranges._before_range(cache) + ranges._range(130, 132))
        assert pa.table(view)["n"].to_pylist() == [130, 131]
        slices = (cache.slice(1), cache.slice(0, 300), cache.filter([("n", ">", 5)]).slice(1))
        for view in (nothing, cache.prefix(), *slices):
            assert ranges._before_range(view) is None


def test_endpoints_are_ranges_in_order_that_may_be_asked_for_again(numbers):
    _, cache = numbers
    with flying.served(cache, range_bytes=4000) as server, flight.connect(server.uri) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_path("it"))
        found = [tickets.decode(end.ticket.ticket) for end in info.endpoints]
        bounds = [(one.first, one.last) for one in found]
        assert len(bounds) > 1
        assert [first for first, _ in bounds] == [0, *(last for _, last in bounds[:-1])]
        assert bounds[-1][1] == 5
        assert info.ordered
        assert all(end.expiration_time is not None for end in info.endpoints)
        assert (info.total_records, info.total_bytes) == (500, cache.nbytes)
        assert info.schema == SCHEMA
        assert pa.Table.from_batches(flying.plain(server.uri)).equals(expected(5))
        # The same range twice.
        again = [client.do_get(info.endpoints[1].ticket).read_all() for _ in range(2)]
        assert again[0].equals(again[1])


def test_what_grows_has_an_open_end(log_dir):
    with respool.cache(Source(), schema=SCHEMA) as cache, flying.served(cache) as server:
        cache.batch(1)
        with flight.connect(server.uri) as client:
            info = client.get_flight_info(flight.FlightDescriptor.for_path("it"))
        bounds = [tickets.decode(end.ticket.ticket) for end in info.endpoints]
        assert [(one.first, one.last) for one in bounds] == [(0, 2), (2, None)]
        assert info.total_records == -1
        assert cache.ingested_count == 2
        assert pa.Table.from_batches(flying.plain(server.uri)).equals(expected(5))


def test_a_directory_of_names_and_a_log_are_served_as_they_are(log_dir):
    root = log_dir / "named"
    for name in ("one", "two"):
        with respool.named(name, Source, schema=SCHEMA, directory=root, ingest=True):
            pass
    with respool.flight.serve(root) as server:
        with pytest.raises(ValueError, match="has 2 caches: ask for one by its name: one, two"):
            respool.flight.open(server.uri)
        with respool.flight.open(server.uri, "two") as there:
            assert pa.table(there).equals(expected(5))
        with respool.named(
            "one", lambda: Source(2), key="new", schema=SCHEMA, directory=root, ingest=True
        ):
            pass
        with respool.flight.open(server.uri, "one") as there:
            assert pa.table(there).equals(expected(2))
        with pytest.raises(ValueError, match="no cache named 'three'; it has one, two"):
            respool.flight.open(server.uri, "three")
    path = respool.ls(root)[1].path
    with respool.flight.serve(path) as server, respool.flight.open(server.uri, "two") as there:
        assert pa.table(there).equals(expected(5))


def test_a_cache_there_is_a_cache(numbers, log_dir):
    uri, _ = numbers
    with respool.flight.open(uri, memory=1, path=log_dir / "log") as there:
        assert there.head(3)["n"].to_pylist() == [0, 1, 2]
        assert pa.table(there.filter([("n", ">", 497)]))["n"].to_pylist() == [498, 499]
        assert pa.table(there).equals(pa.table(there))
        assert pickle.loads(pickle.dumps(there)) is there
    with respool.open(log_dir / "log") as again:
        assert again.complete
        assert again.num_rows == len(rows_of(5))


def test_caches_there_share_a_budget_and_tell_what_happens(numbers):
    _, cache = numbers
    budget = respool.Budget(memory="64 MiB", disk="64 MiB")
    events = []
    with flying.served(cache) as server:
        options = {"budget": budget, "on_event": events.append}
        with (
            respool.flight.open(server.uri, **options) as one,
            respool.flight.open(server.uri, **options) as other,
        ):
            assert pa.table(one).equals(pa.table(other))
            held = [there.metrics()["memory_bytes"] for there in (one, other)]
            assert budget.metrics()["caches"] == 2
            assert budget.metrics()["memory_bytes"] == sum(held) > 0
        assert [event.batches for event in events if event.kind == "end"] == [5, 5]
        with pytest.raises(ValueError, match="budget"):
            respool.flight.open(server.uri, memory="1 MiB", budget=budget)


def test_arguments_that_make_no_sense(numbers, log_dir):
    _, cache = numbers
    for given, error in (
        ({}, ValueError),
        ({"a": 1}, TypeError),
        (cache, TypeError),
        ({"../a": cache}, ValueError),
        (log_dir / "no", FileNotFoundError),
    ):
        with pytest.raises(error):
            respool.flight.serve(given)
    for given in ([cache], (cache,), {cache}, 5, None):
        with pytest.raises(
            TypeError, match=r"a mapping of names to caches, as in .*, or a directory"
        ):
            respool.flight.serve(given)
    for number in (0, -1):
        with pytest.raises(ValueError, match=f"max_streams is a number from 1 on, not {number}"):
            flying.served(cache, max_streams=number)
    for number in ("4", 4.0, True, None):
        with pytest.raises(TypeError, match=rf"max_streams is a number from 1 on, not {number!r}"):
            flying.served(cache, max_streams=number)
    with pytest.raises(ValueError, match="a path is not empty"):
        respool.flight.serve("")
    for name in (5, b"numbers", cache):
        with (
            flying.served(cache) as server,
            pytest.raises(TypeError, match=f"a name is text, not {type(name).__name__}"),
        ):
            respool.flight.open(server.uri, name)
    for location in (5, None, b"grpc://127.0.0.1:0"):
        with pytest.raises(TypeError, match="a location is grpc://HOST:PORT"):
            flying.served(cache, location=location)
    with flying.served(cache, max_streams=np.int64(2**40)) as server:
        assert flying.plain(server.uri)


def test_importing_respool_loads_no_flight_and_its_absence_is_said():
    code = """
import sys
import respool
assert "pyarrow.flight" not in sys.modules
sys.modules["pyarrow.flight"] = None
try:
    respool.flight
except AttributeError as error:
    print(error)
assert not hasattr(respool, "flight")
"""
    assert "needs pyarrow with Flight" in processes.run(code)


def test_a_batch_that_is_too_large_is_an_error_at_its_place():
    with (
        respool.cache(iter([batch(0), batch(1, 5000), batch(2)]), schema=SCHEMA) as cache,
        flying.served(cache, max_message=20_000) as server,
        respool.flight.open(server.uri) as there,
    ):
        batches, error = flying.batches_of(there)
    assert len(batches) == 1
    assert type(error) is respool.exceptions.IncompleteStreamError
    assert "sends no more than 20000" in str(error)
