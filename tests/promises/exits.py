"""Programs that end in the middle of something, each over a cache and over what there is without us.

A program is run with the source as its argument: ``cache`` is a replayable cache, the control is a plain
pyarrow reader or generator, with the same consumer. Both are handed out by ``source()``.
"""

PRELUDE = """
import atexit, sys, threading, time
import pyarrow as pa
from sources import SCHEMA, Source, batch

OURS = sys.argv[1] == "ours"
batch(0)  # imports pandas, which a busy machine may take longer for than the end waits for a source
EVER = 1_000_000
running = threading.Event()

def plain(pause=0.002, batches=EVER):
    for i in range(batches):
        time.sleep(pause)
        if i == 5:
            running.set()
        yield batch(i)

def reader(batches=EVER):
    return pa.RecordBatchReader.from_batches(SCHEMA, plain(batches=batches))

def stream(batches=EVER):
    "Something with a C stream."
    if not OURS:
        return reader(batches)
    import respool
    return respool.cache(plain(batches=batches), schema=SCHEMA, memory="1 MiB", directory=sys.argv[2])

def batches():
    "Something to iterate over."
    return iter(stream()) if OURS else plain()

def daemon(work):
    threading.Thread(target=work, daemon=True).start()
"""

PROGRAMS = {
    "daemon threads that iterate": """
source = batches()
daemon(lambda: [None for _ in source])
running.wait(10)
""",
    "daemon threads that read by pyarrow": """
source = stream()
daemon(lambda: pa.table(source))
running.wait(10)
""",
    "four daemon threads": """
source = stream()
for _ in range(4):
    daemon(lambda: pa.table(source if OURS else reader()))
running.wait(10)
""",
    "an exit handler of before us that joins a reader": """
stopped = threading.Event()
def read_on():
    while not stopped.is_set():
        for one in (source if OURS else [batch(0)]):
            pass
def join():
    stopped.set()
    reading.join()
atexit.register(join)
source = stream(3)
reading = threading.Thread(target=read_on, daemon=True)
reading.start()
time.sleep(0.1)
""",
    "daemon threads that ask": """
source = stream()
daemon(lambda: [(repr(source), source.schema) for _ in iter(int, 1)])
daemon(lambda: [source.metrics() for _ in iter(int, 1)] if OURS else None)
time.sleep(0.05)
""",
    "daemon threads that make caches": """
made = stream()
for _ in range(3):
    daemon(lambda: [stream(2) for _ in iter(int, 1)])
time.sleep(0.05)
""",
    "a thread that reads ahead": """
if OURS:
    import respool
    sizes = {"memory": "1 MiB", "directory": sys.argv[2]}
    source = respool.cache(plain(), schema=SCHEMA, prefetch="1 GiB", **sizes)
    resting = respool.cache(plain(0), schema=SCHEMA, prefetch="3 batches", **sizes)
    for cache in (source, resting):
        next(iter(cache))
else:
    source = plain()
    daemon(lambda: list(source))
running.wait(10)
""",
    "a thread that reads a C stream ahead": """
if OURS:
    import respool
    source = respool.cache(reader(), prefetch="1 GiB", memory="1 MiB", directory=sys.argv[2])
    next(iter(source))
else:
    source = reader()
    daemon(lambda: pa.table(source))
running.wait(10)
""",
    "an exit handler beside a thread that reads ahead": """
def at_exit():
    if OURS:
        assert [one.num_rows for one in source.head(700).to_batches()] == [100] * 7
        assert next(iter(half)).num_rows == 100
        assert source.error is None
        source.close()
# Before us, so that it runs when threads are gone.
atexit.register(at_exit)
if OURS:
    import respool
    source = respool.cache(plain(), schema=SCHEMA, prefetch="2 batches")
    half = source.reader()
    next(half)
else:
    daemon(lambda: list(plain()))
time.sleep(0.05)
""",
    "an unfinished generator": """
import contextlib
def use():
    for one in batches():
        yield one
using = use()
next(using)
kept = stream()
it = iter(kept)
next(it)
""",
    "a half-read stream in a global": """
source = stream()
half = pa.RecordBatchReader.from_stream(source)
half.read_next_batch()
capsule = stream().__arrow_c_stream__()
""",
    "a half-read stream of arro3": """
from arro3.core import RecordBatchReader
half = RecordBatchReader.from_arrow(stream())
next(iter(half))
""",
    "registered with duckdb's default connection": """
import duckdb
source = stream(10)
duckdb.register("t", source)
assert duckdb.sql("select count(*) from t").fetchone() == (1000,)
if OURS:
    import respool.duckdb
    relation = respool.duckdb.register(duckdb.default_connection(), "u", source, optimize=True)
    assert relation.aggregate("count(*)").fetchone() == (1000,)
""",
    "a daemon thread in duckdb": """
import duckdb
source = stream()
def query():
    con = duckdb.connect()
    con.register("t", source)
    con.execute("select sum(n) from t").fetchall()
daemon(query)
running.wait(10)
""",
    "a daemon thread in polars": """
import polars as pl
from polars.io.plugins import register_io_source
def frames(columns, predicate, n_rows, batch_size):
    for one in plain():
        yield pl.DataFrame(one)
control = register_io_source(frames, schema={"n": pl.Int64, "s": pl.String})
frame = stream().lazy() if OURS else control
daemon(lambda: frame.select(pl.len()).collect())
running.wait(10)
""",
    "half-read batches of polars": """
import polars as pl
from polars.io.plugins import register_io_source
def frames(columns, predicate, n_rows, batch_size):
    for one in plain(batches=100):
        yield pl.DataFrame(one)
control = register_io_source(frames, schema={"n": pl.Int64, "s": pl.String})
half = iter((stream(100).lazy() if OURS else control).collect_batches())
next(half)
""",
    "a cache in a reference cycle": """
class Holder: pass
holder = Holder()
def source():
    for one in plain():
        holder.pulled = True
        yield one
holder.me = holder
if OURS:
    import respool
    holder.cache = respool.cache(source(), schema=SCHEMA)
    holder.reader = holder.cache.select(["n"]).reader()
    holder.stream = holder.cache.__arrow_c_stream__()
else:
    holder.reader = source()
    holder.stream = pa.RecordBatchReader.from_batches(SCHEMA, plain()).__arrow_c_stream__()
next(holder.reader)
""",
    "an exit handler that reads": """
source = stream(20)
half = pa.RecordBatchReader.from_stream(source)
half.read_next_batch()
def at_exit():
    assert half.read_next_batch().num_rows == 100
    if OURS:
        assert pa.table(source).num_rows == 2000
        assert source.metrics() and repr(source)
        source.close()
atexit.register(at_exit)
""",
    "an exit handler beside daemon threads": """
source = stream(200)
daemon(lambda: pa.table(source))
running.wait(10)
def at_exit():
    if OURS:
        next(iter(source))
        repr(source)
        source.metrics()
atexit.register(at_exit)
""",
    "a source that fails": """
def failing():
    yield batch(0)
    raise ValueError("gone")
if OURS:
    import respool
    source = respool.cache(failing(), schema=SCHEMA)
else:
    source = pa.RecordBatchReader.from_batches(SCHEMA, failing())
try:
    pa.table(source)
except Exception as error:
    kept = error
""",
    "a waiting daemon thread": """
def stalling():
    yield batch(0)
    running.set()
    time.sleep(1000)
if OURS:
    import respool
    source = respool.cache(stalling(), schema=SCHEMA)
else:
    source = pa.RecordBatchReader.from_batches(SCHEMA, stalling())
daemon(lambda: pa.table(source))
running.wait(10)
if OURS:
    daemon(lambda: pa.table(source))
    daemon(lambda: source.batch(5))
    time.sleep(0.05)
""",
}
