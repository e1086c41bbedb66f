"""Paths as callers write them: as everywhere in Python, and with the ``~`` that the engines know."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

import respool
from sources import SCHEMA, Source


class BytesPath:
    def __init__(self, path):
        self.path = os.fsencode(path)

    def __fspath__(self):
        return self.path


FORMS = {"str": str, "bytes": os.fsencode, "Path": Path, "PathLike of bytes": BytesPath}

WAYS = {
    "cache": lambda path: respool.cache(Source(2), schema=SCHEMA, path=path),
    "directory": lambda path: respool.cache(Source(2), schema=SCHEMA, directory=path),
    "disk_path": lambda path: respool.StreamCache(Source(2).reader(), 1, path, "1 MiB"),
    "open": respool.open,
    "resume": lambda path: respool.resume(path, Source(2)),
    "to_ipc": lambda path: respool.cache(pa.table({"x": [1]})).to_ipc(path),
    "to_parquet": lambda path: respool.cache(pa.table({"x": [1]})).to_parquet(path),
}


@pytest.fixture
def home(log_dir, monkeypatch):
    monkeypatch.setenv("HOME", str(log_dir))
    return log_dir


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["", "~"])
def test_every_form_of_a_path_is_taken(home, form, place):
    def of(name):
        return FORMS[form](os.path.join(place or home, name))  # noqa: PTH118 - Path takes "~" as it is

    with respool.cache(Source(2), schema=SCHEMA, path=of("log")) as cache:
        assert cache.path == home / "log"
        cache.batch(0)
    with respool.open(of("log")) as cache:
        assert cache.num_batches == 1
    with respool.resume(of("log"), Source(2)) as cache:
        assert cache.ingest_all() == 2
        cache.to_ipc(of("x.arrow"))
        cache.to_parquet(of("x.parquet"))
    respool.StreamCache(Source(2).reader(), 1, of(""), "1 MiB").ingest_all()
    respool.cache(Source(2), schema=SCHEMA, directory=of("")).ingest_all()
    respool.named("it", Source(2).reader, directory=of("names")).ingest_all()
    there = {path.name for path in home.iterdir()}
    assert there == {"log", "x.arrow", "x.parquet", "names"}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_path_is_refused(way):
    with pytest.raises(TypeError, match=r"expected str, bytes or os\.PathLike object, not int"):
        WAYS[way](1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", ["a\0b", b"a\0b"])
def test_a_nul_is_refused(way, path):
    with pytest.raises(ValueError, match="no null byte"):
        WAYS[way](path)


def test_a_name_that_begins_with_a_tilde_and_is_nobodys_home_is_a_name(log_dir, monkeypatch):
    monkeypatch.chdir(log_dir)
    respool.cache(pa.table({"x": [1]})).to_ipc("~nobody of that name.arrow")
    assert [path.name for path in log_dir.iterdir()] == ["~nobody of that name.arrow"]
