"""Memory is bounded by what was asked for, counted in bytes that are really held."""

import pyarrow as pa
import pytest

import processes
import respool

MEGABYTE = 1_000_000


@pytest.mark.parametrize("rows", [1_000_000, 100_000, 10_000])
def test_a_table_in_slices_costs_its_bytes_once(rows):
    table = pa.table({"n": range(MEGABYTE)})
    cache = respool.StreamCache(
        table.to_reader(max_chunksize=rows), memory_capacity=int(1.1 * 8 * MEGABYTE)
    )
    assert cache.ingest_all() == MEGABYTE // rows
    assert pa.table(cache).equals(table)
    assert cache.metrics()["memory_bytes"] <= 1.1 * 8 * MEGABYTE


def test_a_small_slice_does_not_keep_a_large_table():
    table = pa.table({"n": range(MEGABYTE)})
    cache = respool.StreamCache(table.slice(500_000, 10), memory_capacity=4096)
    assert cache.ingest_all() == 1
    assert pa.table(cache).equals(table.slice(500_000, 10))


def test_a_small_slice_is_written_small(log_dir):
    strings = pa.array([f"a string of more than twelve bytes {i}" for i in range(100_000)])
    table = pa.table(
        {
            "utf8": strings,
            "view": strings.cast(pa.string_view()),
            "dictionary": strings.dictionary_encode(),
            "n": range(100_000),
            "list": pa.array([[i, i] for i in range(100_000)]),
        }
    )
    for name in table.column_names:
        column = table.select([name]).slice(50_000, 10)
        cache = respool.StreamCache(column, 1, log_dir, "100 MiB")
        cache.ingest_all()
        assert cache.metrics()["log_bytes"] < 8192, name
        assert pa.table(cache).to_pydict() == column.to_pydict()


def test_less_memory_is_given_back_at_once():
    table = pa.table({"n": range(4 * MEGABYTE)})
    cache = respool.cache(table.to_reader(MEGABYTE // 10))
    cache.ingest_all()
    assert cache.metrics()["memory_bytes"] > 4 * 8 * MEGABYTE
    cache.resize(memory="1 MiB")
    assert cache.metrics()["memory_bytes"] <= 1 << 20
    assert pa.table(cache).equals(table)


# The helper that all children share: a stream of int64 batches, each with a buffer of its own.
STREAM = """
import resource, sys, threading, time
import pyarrow as pa, respool

MIB = 1 << 20
SCHEMA = pa.schema({"n": pa.int64()})

def stream(batches, size):
    for i in range(batches):
        buffer = pa.py_buffer(i.to_bytes(8, "little") * (size // 8))
        yield pa.RecordBatch.from_arrays(
            [pa.Array.from_buffers(pa.int64(), size // 8, [None, buffer])], schema=SCHEMA
        )

def status(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(field + ":"))

def check(reader, batches):
    for i, batch in enumerate(reader):
        assert batch.column(0)[0].as_py() == batch.column(0)[-1].as_py() == i
    assert i == batches - 1
"""

STREAM_OF_A_GIB = (
    STREAM
    + """
import ctypes
# The C library would keep freed batches of this size for itself: that is not what is measured.
ctypes.CDLL(None).mallopt(-3, MIB)  # M_MMAP_THRESHOLD

before = peak = status("RssAnon")
stop = threading.Event()

def watch():
    global peak
    while not stop.wait(0.005):
        peak = max(peak, status("RssAnon"))

watcher = threading.Thread(target=watch)
watcher.start()
cache = respool.StreamCache(
    pa.RecordBatchReader.from_batches(SCHEMA, stream(128, 8 * MIB)), 64 * MIB, sys.argv[1], 2 << 30, sys.argv[2]
)
readers = [threading.Thread(target=check, args=(cache.reader(), 128)) for _ in range(4)]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
stop.set()
watcher.join()
assert cache.complete
print((peak - before) // MIB)
"""
)


@pytest.mark.parametrize("policy", ["on_insertion", "on_eviction"])
def test_a_long_stream_stays_within_its_memory(log_dir, policy):
    cap, batch, rest = 64, 8, 60
    growth = int(processes.run(STREAM_OF_A_GIB, log_dir, policy))
    assert growth <= cap + 6 * batch + rest


NO_ROOM_FOR_MAPS = (
    STREAM
    + """
cache = respool.StreamCache(
    pa.RecordBatchReader.from_batches(SCHEMA, stream(96, 8 * MIB)), 16 * MIB, sys.argv[1], 2 << 30
)
limit = status("VmSize") + 384 * MIB
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for _ in range(2):
    check(cache.reader(), 96)
print(cache.metrics()["log_bytes"] > 384 * MIB)
"""
)


def test_a_log_larger_than_the_address_space_is_read(log_dir):
    assert processes.run(NO_ROOM_FOR_MAPS, log_dir).strip() == "True"


def test_beside_a_log_memory_has_a_bound(log_dir):
    table = pa.table({"n": range(1000)})
    bounds = [
        respool.StreamCache(table, disk_path=log_dir, disk_capacity="1 MiB").metrics(),
        respool.StreamCache(table, "1 MiB", log_dir, "1 MiB").metrics(),
        respool.StreamCache(table).metrics(),
    ]
    assert [one["memory_capacity"] for one in bounds[1:]] == [1 << 20, None]
    assert bounds[0]["memory_capacity"] == respool.cache(table).metrics()["memory_capacity"]


def test_no_bound_may_be_asked_for():
    cache = respool.cache(pa.table({"n": range(1000)}), memory=None, disk=None)
    assert cache.ingest_all() == 1
    assert cache.metrics()["memory_capacity"] is None


@pytest.mark.parametrize("disk", [None, "64 MiB"])
def test_all_copies_in_other_encodings_stay_within_the_bounds(disk, log_dir):
    strings = [f"a text of some length, number {i}" for i in range(40_000)]
    table = pa.table({"s": strings, "n": range(40_000)})
    options = {"disk": disk, "directory": log_dir} if disk else {"disk": None}
    bound = int(1.4 * table.nbytes)
    cache = respool.cache(table.to_reader(1000), memory=bound, **options)
    cache.ingest_all()
    kept = []
    for i in range(6):  # each alone would find room
        view = cache.slice(i)
        try:
            kept.append(view._encoded())
        except MemoryError:
            assert disk is None
        metrics = cache.metrics()
        assert metrics["memory_bytes"] <= bound
        assert metrics["log_bytes"] <= 64 << 20
    assert metrics["encoded_memory_bytes"] > 0
    if disk:
        assert metrics["encoded_log_bytes"] > 0
        assert len(kept) == 6
    assert kept[0].to_arrow()["n"].to_pylist() == list(range(40_000))
    encoded = metrics["encoded_memory_bytes"] + metrics["encoded_log_bytes"]
    del kept[1:], view
    metrics = cache.metrics()
    left = metrics["encoded_memory_bytes"] + metrics["encoded_log_bytes"]
    assert left < encoded or len(kept) == 1
    cache.close()
    with pytest.raises(ValueError, match="closed"):
        kept[0].to_arrow()
