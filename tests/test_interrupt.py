"""Ctrl-C: seen soon, and never taken for the end of the stream."""

import signal
import subprocess
import sys
import time

import pytest

import processes
import respool
from sources import Source

AFTERWARDS = """
def afterwards(cache, whole):
    assert not cache.upstream_exhausted
    assert not cache.complete
    before = cache.ingested_count
    try:
        rows = pa.table(cache).num_rows
    except (Exception, KeyboardInterrupt):
        assert cache.error is not None
        assert not cache.complete
        assert pa.table(cache.prefix()).num_rows > 0 or before == 0
        print("failed for good", flush=True)
    else:
        assert rows == whole, rows
        print("went on", flush=True)
"""

OVER_A_PIPE = (
    """
import os, sys, threading, time
import pyarrow as pa, pyarrow.csv, respool
"""
    + AFTERWARDS
    + """
read, write = os.pipe()

def feed():
    with open(write, "wb", buffering=0) as pipe:
        pipe.write(b"n\\n")
        for i in range(60):
            pipe.write(b"".join(b"%07d\\n" % n for n in range(512 * i, 512 * i + 512)))
            time.sleep(0.05)

threading.Thread(target=feed, daemon=True).start()
options = pyarrow.csv.ReadOptions(block_size=4096, use_threads=False)
source = pyarrow.csv.open_csv(open(read, "rb", buffering=0), options)
cache = respool.StreamCache(source)
next(cache.reader())
print("ready", flush=True)
try:
    cache.ingest_all()
except KeyboardInterrupt:
    print("interrupted", flush=True)
afterwards(cache, 60 * 512)
os._exit(0)  # pyarrow's own thread may still be reading the pipe
"""
)

OVER_A_GENERATOR = (
    """
import sys
import pyarrow as pa, respool
from sources import SCHEMA, Source
"""
    + AFTERWARDS
    + """
source = Source(60, pause=0.05)
cache = respool.cache(source, schema=SCHEMA) if sys.argv[1] == "iterable" else respool.StreamCache(source.reader())
next(cache.reader())
print("ready", flush=True)
try:
    cache.ingest_all()
except KeyboardInterrupt:
    print("interrupted", flush=True)
afterwards(cache, 60 * 100)
"""
)


def interrupt_when_ready(child: subprocess.Popen[str]) -> list[str]:
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "ready")
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert child.returncode == 0, err
    return out.splitlines()


@pytest.mark.parametrize("how", ["iterable", "stream"])
def test_ingesting_from_a_generator(how):
    interrupted, then = interrupt_when_ready(processes.start(OVER_A_GENERATOR, how))
    assert interrupted == "interrupted"
    assert then in {"went on", "failed for good"}


def test_ingesting_from_a_pipe():
    interrupted, then = interrupt_when_ready(processes.start(OVER_A_PIPE))
    assert interrupted == "interrupted"
    assert then in {"went on", "failed for good"}


WAITING = """
import os, signal, sys, threading, time
import pyarrow as pa, respool
from sources import SCHEMA, Source, expected

source = Source(2, stall_at=1, stall=8)
cache = respool.cache(source, schema=SCHEMA)
other = threading.Thread(target=cache.ingest_all)
other.start()
assert source.stalling.wait(10)
sent = []

def interrupt():
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

threading.Timer(0.3, interrupt).start()
try:
    cache.ingest_all() if sys.argv[1] == "ingest_all" else list(cache)
except KeyboardInterrupt:
    print(time.monotonic() - sent[0], flush=True)
source.released.set()
other.join()
assert pa.table(cache).equals(expected(2))
"""


@pytest.mark.parametrize("use", ["ingest_all", "iteration"])
def test_waiting_for_another_threads_pull(use):
    assert float(processes.run(WAITING, use)) < 0.5


def test_a_cache_that_goes_calls_nothing_in_which_ctrl_c_would_be_lost(log_dir):
    cache = respool.cache(Source().reader(), path=log_dir / "log")
    cache.ingest_all()
    cache.close()
    called = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code) if event == "call" else None)
    try:
        del cache
    finally:
        sys.setprofile(None)
    assert called == []
