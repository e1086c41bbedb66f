"""How a log is cut into parts."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scale_logs import kept

import respool
from respool._scan import plan as plans
from respool._scan.columns import checked
from respool._scan.index import batches_of
from respool._scan.part import Part
from respool._scan.place import found
from respool._scan.plan import Plan


def of(path, *filters):
    return Plan(found(path, None, prefix=False), filters)


def ids(path, parts):
    log = found(path, None, prefix=False)
    return [
        n
        for spans, _, _ in parts
        for batch in Part.of(log, spans).batches()
        for n in batch["n"].to_pylist()
    ]


@pytest.fixture
def uneven(tmp_path):
    """Batches of 0 to 12 rows, two of them at 12, with a dictionary before each."""
    sizes = [3, 0, 1, 12, 0, 5, 12, 2]
    arrays = []
    first = 0
    for size in sizes:
        words = pa.array([f"{first} {n}" for n in range(size)]).dictionary_encode()
        numbers = pa.array(range(first, first + size), pa.int64())
        arrays.append(pa.record_batch({"n": numbers, "w": words}))
        first += size
    return kept(tmp_path / "uneven", pa.RecordBatchReader.from_batches(arrays[0].schema, arrays))


def test_the_index_says_where_batches_begin(uneven):
    assert batches_of(found(uneven, None, prefix=False)).firsts == [0, 3, 3, 4, 16, 16, 21, 33]


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 100])
def test_parts_are_as_many_as_asked_for_and_are_the_log_together(uneven, count):
    parts = of(uneven).parts(count)
    assert len(parts) == count
    assert sum(rows for _, rows, _ in parts) == 35
    assert ids(uneven, parts) == list(range(35))
    assert sum(bool(spans) for spans, _, _ in parts) >= min(count, 3)


def test_zone_maps_that_are_kept_leave_batches_out_and_no_others_are_made(tmp_path):
    source = [pa.record_batch({"n": range(i * 10, i * 10 + 10)}) for i in range(50)]
    path = kept(tmp_path / "log", source)
    wanted = pc.field("n") == 123
    assert len(of(path, wanted).kept) == 50
    assert not (path / "_zones.0").exists()
    with respool.open(path) as cache:
        assert cache.filter(wanted).num_rows == 1
    assert (path / "_zones.0").exists()
    assert of(path, wanted).kept == [12]
    assert of(path, wanted).parts(3) == [([(120, 10)], 10, 80), ([], 0, 0), ([], 0, 0)]
    assert of(path, [("n", "<", 5)], wanted).kept == []
    assert of(path, [("n", "<", 5)], wanted).parts(2) == [([], 0, 0)] * 2


def test_many_spans_are_joined_over_what_lies_between(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "MOST_SPANS", 3)
    source = [pa.record_batch({"n": [i % 2]}) for i in range(20)]
    path = kept(tmp_path / "log", source)
    with respool.open(path) as cache:
        assert cache.filter([("n", "=", 1)]).num_rows == 10
    ((spans, _, _),) = of(path, pc.field("n") == 1).parts(1)
    assert len(spans) <= 3
    log = found(path, None, prefix=False)
    part = Part.of(log, spans, (pc.field("n") == 1,))
    assert [n for batch in part.batches() for n in batch["n"].to_pylist()] == [1] * 10


def test_names_paths_and_what_is_none(tmp_path):
    table = pa.table({"n": [1, 2, 3]})
    respool.named("numbers", lambda: table, directory=tmp_path, ingest=True).close()
    by_name = found("numbers", tmp_path, prefix=False)
    by_path = found(by_name.path, None, prefix=False)
    of_the_name = found(tmp_path / "numbers", None, prefix=False)
    assert by_name.identity == by_path.identity == of_the_name.identity
    for nothing in (tmp_path / "nothing", "./nothing", "nothing"):
        with pytest.raises(FileNotFoundError):
            found(nothing, None if nothing != "nothing" else tmp_path, prefix=False)


def test_a_cache_is_read_by_its_path(tmp_path):
    with respool.cache(
        pa.table({"n": [1, 2, 3]}), path=tmp_path / "log", allow_tmpfs=True
    ) as cache:
        for given in (cache, cache.select("n")):
            with pytest.raises(TypeError, match=r"not StreamCache.*: give its path, cache\.path"):
                found(given, None, prefix=False)
    with pytest.raises(TypeError, match="the path of a log or the name of a cache, not int"):
        found(5, None, prefix=False)


def test_a_plain_word_that_is_neither_name_nor_path_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        found("nothing", None, prefix=False)
    assert error.value.__notes__ == [f"There is no log at {tmp_path / 'nothing'} either."]


def test_columns_that_come_once_are_read_once():
    schema = pa.schema({"n": pa.int64(), "s": pa.string()})
    assert checked((name for name in ["s"]), schema) == ["s"]
    for wrong in ("n", 5, [0], b"n"):
        with pytest.raises(TypeError, match="columns is a list of names") as caught:
            checked(wrong, schema)
        assert str(caught.value).endswith(f", not {wrong!r}")
