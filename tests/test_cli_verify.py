"""`respool verify`: whatever byte of a log is not what was written, it is found, and its place named."""

import duckdb
import pyarrow as pa
import pytest

import commands
import respool
import states
from respool import _native
from respool import duckdb as door
from respool._cli import zones
from respool._cli.checks.crc import crc32c
from respool._cli.checks.log import check

SCHEMA = pa.schema({"n": pa.int64(), "s": pa.dictionary(pa.int32(), pa.string())})


def batches():
    for i in range(4):
        # Other dictionaries: the log gets a second segment, in the layout of streams.
        words = [f"{i}-{j % 3}" for j in range(20)]
        yield pa.record_batch([range(20), pa.array(words).dictionary_encode()], schema=SCHEMA)


@pytest.fixture
def log(log_dir):
    path = log_dir / "log"
    with respool.cache(batches(), path=path, schema=SCHEMA, metadata={"a": 1}) as cache:
        cache.ingest_all()
        with duckdb.connect() as con:
            door.register(con, "t", cache)
            con.sql("select count(*) from t where n > 5").fetchall()
    return path


def checked(path):
    return check(path, lambda _: None)


def test_the_checksum_is_the_one_of_the_format():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0


def test_a_good_log_has_no_damage(log):
    found = checked(log)
    assert (found.damages, found.batches, found.rows, found.behind) == ([], 4, 80, 0)
    names = sorted(path.name for path in log.iterdir())
    assert names == [
        "00000000.arrow",
        "00000001.arrows",
        "_index",
        "_lock",
        "_manifest",
        "_zones.0",
    ]


def test_every_byte_that_has_a_checksum_is_held_against_it(log):
    """One byte at a time, of every file: each 11th of the small ones, each 83rd of the segments."""
    whole = pa.ipc.open_file((log / "00000000.arrow").read_bytes()).read_all()
    flips = missed = 0
    for path in sorted(log.iterdir()):
        if path.name == "_lock":  # it is for people
            continue
        for at in range(0, path.stat().st_size, 11 if path.name.startswith("_") else 83):
            states.flip(path, at)
            found = checked(log)
            content = path.read_bytes()
            states.flip(path, at)
            flips += 1
            if path in {damage.file for damage in found.damages}:
                continue
            missed += 1
            if path.name == "_index" and found.log.state == "abandoned":
                # What ends a log, cut off, is a log that has not ended: its format says so.
                assert (found.behind in {64, 128}, found.batches) == (True, 4)
            elif found.log.state == "unreadable":
                assert "upgrade" in found.log.error
            else:
                # Padding in the footer, which changes nothing.
                assert path.name == "00000000.arrow"
                assert pa.ipc.open_file(content).read_all().equals(whole), at
    assert flips > 150
    assert missed < flips / 10


def test_whatever_is_cut_off_is_missed(log):
    for path in sorted(log.iterdir()):
        if path.name == "_lock":
            continue
        content = path.read_bytes()
        for end in (0, 7, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:end])
            found = checked(log)
            is_told = path in {damage.file for damage in found.damages}
            # An index that ends early is that of a writer that was killed.
            is_left = path.name == "_index" and found.log.state == "abandoned"
            assert is_told or is_left, (path.name, end)
        path.unlink()
        if path.name not in {
            "_manifest",
            "_zones.0",
        }:  # what has none is no log; zone maps can be made again
            assert path in {damage.file for damage in checked(log).damages}, path.name
        path.write_bytes(content)
    assert checked(log).damages == []


def test_every_damage_is_listed_once_and_the_first_twenty_are_shown(log_dir, capsys, monkeypatch):
    path = log_dir / "log"
    with respool.cache(
        (pa.record_batch({"n": [i] * 50}) for i in range(40)),
        path=path,
        schema=pa.schema({"n": pa.int64()}),
    ) as cache:
        cache.ingest_all()
    segment = path / "00000000.arrow"
    for at in range(1000, segment.stat().st_size - 3000, 500):
        states.flip(segment, at)
    (told,) = commands.here(capsys, "verify", path, "--json").json
    places = [(it["file"], it["offset"]) for it in told["damages"]]
    assert len(places) == len(set(places)) > 20
    assert told["batches"] == 40 - len(places)
    monkeypatch.setenv("COLUMNS", "200")
    ran = commands.here(capsys, "verify", path)
    assert ran.code == 4
    assert f"damaged in {len(places)} places; {told['batches']} batches" in ran.out
    assert ran.out.splitlines()[-1] == f"  ... and {len(places) - 20} more: --json lists all"


def test_what_is_kept_in_the_log_is_checked_too(log_dir, capsys):
    path = log_dir / "log"
    with (
        respool.cache(pa.table({"s": ["a", "b"] * 5000}).to_reader(), path=path) as cache,
        duckdb.connect() as con,
    ):
        cache.ingest_all()
        door.register(con, "t", cache, optimize=True)
        con.sql("select s, count(*) from t group by s").fetchall()
    inner = path / "_encoded" / "00000000.arrow"
    assert inner.exists()
    assert commands.here(capsys, "verify", path).code == 0
    states.flip(inner, inner.stat().st_size // 2)
    ran = commands.here(capsys, "verify", path, "--json")
    assert ran.code == 4
    assert [it["file"] for it in ran.json[0]["damages"]] == [str(inner)]


def test_why_a_log_failed_is_checked(log_dir, capsys):
    states.failed(log_dir)
    path = states.log_of(log_dir, "failed") / "_failure"
    states.flip(path, path.stat().st_size - 10)
    ran = commands.here(capsys, "verify", "failed", "--json", "-d", log_dir)
    assert ran.code == 4
    assert [it["file"] for it in ran.json[0]["damages"]] == [str(path)]


KINDS = {
    "bool": pa.array([True, False, None]),
    "uint64": pa.array([2**64 - 1, 0, None], pa.uint64()),
    "float": pa.array([1.5, -2.5, float("nan")]),
    "decimal": pa.array([100, -25, None]).cast(pa.decimal128(20, 0)).cast(pa.decimal128(20, 2)),
    "wide": pa.array([10**30, -1, None], pa.decimal128(38, 0)).cast(pa.decimal128(38, 3)),
    "text": pa.array(["a", "é", None]),
    "bytes": pa.array([b"\x00", b"\xff", None]),
    "day": pa.array([0, -1, None], pa.date32()),
    "time": pa.array([1, 2, None], pa.time64("us")),
    "stamp": pa.array([1, 2, None], pa.timestamp("ms", "Asia/Tokyo")),
    "dictionary": pa.array(["x", "y", None]).dictionary_encode(),
    "nothing": pa.array([None, None, None], pa.int64()),
}


WRITTEN = {
    "bool": ["false", "true"],
    "uint64": ["0", str(2**64 - 1)],
    "float": ["-2.5", "1.5"],
    "decimal": ["-25.00", "100.00"],
    "wide": ["-1.000", f"{10**30}.000"],
    "text": ["a", "é"],
    "bytes": ["00", "ff"],
    "day": ["1969-12-31", "1970-01-01"],
    "time": ["00:00:00.000001", "00:00:00.000002"],
    "stamp": ["1970-01-01T00:00:00.001+00:00", "1970-01-01T00:00:00.002+00:00"],
    "dictionary": ["x", "y"],
    "nothing": ["", ""],
}


def test_zone_maps_are_read_as_they_were_written(log_dir):
    table = pa.table(KINDS)
    path = log_dir / "log"
    with respool.cache(table.to_reader(), path=path) as cache:
        cache.ingest_all()
        for name in KINDS:
            cache._prove(_native.Predicate.is_null(cache._term([name])))
    for i, (name, column) in enumerate(KINDS.items()):
        zone = zones.read(path, i, 1)
        bounds = [zones.written(it, column.type) for it in (zone.least, zone.greatest)]
        assert (bounds, zone.nulls, zone.is_exact) == (WRITTEN[name], column.null_count, True)
    assert zones.read(path, 0, 2) is None


def test_zone_maps_of_another_version_or_damaged_are_none(log):
    assert zones.read(log, 0, 4) == zones.Zone(80, 0, 0, 19)
    assert zones.read(log, 1, 4) is None
    path = log / "_zones.0"
    for at in range(0, path.stat().st_size, 3):
        states.flip(path, at)
        assert zones.read(log, 0, 4) is None
        states.flip(path, at)
