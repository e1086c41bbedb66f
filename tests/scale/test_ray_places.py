"""Which log is read, from where, and what is said when it is not there."""

import shutil
import time

import pyarrow as pa
import pytest
from scale_logs import batches, kept
from work import where

import respool
from respool.exceptions import CorruptLogError, IncompleteStreamError

pytest.importorskip("ray.data")


def test_another_log_in_its_place_fails_and_is_named(ray, tmp_path):
    path = kept(tmp_path / "log", pa.table({"id": [1, 2, 3]}))
    dataset = respool.ray.read(path, columns=["id"])
    path.rename(tmp_path / "aside")
    kept(path, pa.table({"id": [7, 8, 9]}))
    with pytest.raises(Exception, match="another log is there than the one that was planned"):
        dataset.take_all()
    shutil.rmtree(path)
    with pytest.raises(Exception, match="there is no log; it has to lie where every machine"):
        dataset.take_all()
    (tmp_path / "aside").rename(path)
    assert dataset.sum("id") == 6


def test_a_log_that_is_not_whole(ray, tmp_path):
    path = tmp_path / "log"
    source = (batch for batch in batches(6, 1000))
    cache = respool.cache(source, path=path, schema="first")
    reader = cache.reader()
    for _ in range(3):
        next(reader)
    with pytest.raises(IncompleteStreamError, match=r"being written.*prefix=True") as error:
        respool.ray.read(path)
    assert (error.value.batches, error.value.rows) == (3, 3000)
    prefix = respool.ray.read(path, prefix=True)
    assert prefix.count() == 3000
    cache.ingest_all()
    # What was planned is read, whatever came since.
    assert sorted(row["id"] for row in prefix.take_all()) == list(range(3000))
    assert respool.ray.read(path, filter=[("id", ">=", 0)]).count() == 6000
    cache.close()


@pytest.mark.parametrize("ends", ["left", "failed"])
def test_a_log_without_a_good_end(ray, tmp_path, ends):
    def source():
        yield from batches(4, 1000)
        raise ValueError("no more")

    cache = respool.cache(source(), path=tmp_path / "log", schema="first")
    if ends == "failed":
        with pytest.raises(ValueError, match="no more"):
            cache.ingest_all()
    else:
        reader = cache.reader()
        for _ in range(4):
            next(reader)
    cache.close()
    with pytest.raises(IncompleteStreamError, match=f"{ends}.*4 batches"):
        respool.ray.read(tmp_path / "log")
    assert respool.ray.read(tmp_path / "log", prefix=True).count() == 4000
    rows = respool.ray.read(tmp_path / "log", prefix=True, filter=[("id", "<", 10)]).take_all()
    assert sorted(row["id"] for row in rows) == list(range(10))


def test_a_missing_segment_is_seen_before_a_task_is_made(ray, tmp_path):
    path = kept(tmp_path / "log", batches(3, 1000))
    next(path.glob("*.arrow")).unlink()
    with pytest.raises(CorruptLogError):
        respool.ray.read(path)


def nodes_of(dataset):
    seen = dataset.map_batches(
        where, batch_format="pyarrow", batch_size=None, zero_copy_batch=True
    ).take_all()
    assert {block["places"] for block in seen} == {"segment"}
    return {block["node"] for block in seen}


def test_not_shared_is_read_on_this_node_alone(ray, log):
    here = ray.get_runtime_context().get_node_id()
    assert nodes_of(respool.ray.read(log, shared=False, blocks=8)) == {here}
    assert len(nodes_of(respool.ray.read(log, blocks=8))) == 2


def test_named_caches(ray, tmp_path, monkeypatch):
    monkeypatch.setenv("RESPOOL_CACHE_DIR", str(tmp_path))
    respool.named("numbers", lambda: pa.table({"id": [1, 2]}), ingest=True).close()
    assert respool.ray.read("numbers").count() == 2
    assert respool.ray.read(tmp_path / "numbers").count() == 2
    assert respool.ray.read("numbers", directory=tmp_path).sum("id") == 3
    with pytest.raises(FileNotFoundError):
        respool.ray.read("letters")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"columns": ["nothing"]}, ValueError),
        ({"columns": ["id", "id"]}, ValueError),
        ({"columns": "id"}, TypeError),
        ({"columns": [0]}, TypeError),
        ({"blocks": 0}, ValueError),
        ({"override_num_blocks": 3}, TypeError),
        ({"filter": "id < 3"}, TypeError),
        ({"filter": [("nothing", "=", 3)]}, ValueError),
    ],
)
def test_arguments_that_make_no_sense(ray, log, options, error):
    with pytest.raises(error):
        respool.ray.read(log, **options)


def test_two_columns_of_one_name_are_refused(ray, tmp_path):
    table = pa.table([[1], [2]], names=["n", "n"])
    path = kept(tmp_path / "log", table)
    with pytest.raises(ValueError, match="2 columns 'n'"):
        respool.ray.read(path)


def test_a_worker_lets_its_log_go(log, monkeypatch):
    """Half a minute after its last part, or as soon as it reads another; here with no worker between."""
    from respool._scan import kept as last

    class Cache:
        pass

    monkeypatch.setattr(last, "SECONDS", 0.2)
    cache, other = Cache(), Cache()
    last.keep(cache)
    assert last._kept.cache is cache
    last.keep(other)
    assert last._kept.cache is other
    time.sleep(0.1)
    last.keep(other)
    time.sleep(0.15)
    assert last._kept.cache is other
    time.sleep(0.4)
    assert last._kept.cache is None
