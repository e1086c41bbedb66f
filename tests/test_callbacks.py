"""Callbacks of C under Python that is under C: what is attached there is asked of Python, every time.

Each program runs in a child, for what goes wrong here ends the process.
"""

import shutil
import subprocess

import pytest

import processes

IN_A_STAGED_CACHE = """
import os, signal, sys, threading, time
import pyarrow as pa
import respool
from sources import SCHEMA, Source, batch

how, by = sys.argv[1:]
inner = respool.cache(Source(2000, pause=0.002).reader())

class Raised(Exception):
    pass

def handler(*_):
    raise Raised

def outer():
    yield batch(0)
    yield from pa.RecordBatchReader.from_stream(inner).read_all().to_batches()

signal.signal(signal.SIGALRM, handler)

def send():
    while inner.ingested_count < 5:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGALRM if by == "alarm" else signal.SIGINT)

threading.Thread(target=send).start()
try:
    if how == "source":
        list(respool.cache(outer(), schema=SCHEMA))
    else:
        respool.cache(batch(0)).ingest_all(progress=lambda batches, rows: pa.table(inner))
except (Raised, KeyboardInterrupt, OSError, ValueError) as error:
    assert "Raised" in repr(error) or "KeyboardInterrupt" in repr(error), error
else:
    raise AssertionError("no error")
try:
    assert inner.prefix().head(1).num_rows == 1
except KeyboardInterrupt:
    assert by == "Ctrl-C"  # which is told where reading begins anew
print("alive")
"""


@pytest.mark.parametrize("by", ["Ctrl-C", "alarm"])
@pytest.mark.parametrize("how", ["source", "progress"])
def test_a_signal_handler_raises_while_python_reads_another_cache(how, by):
    assert processes.run(IN_A_STAGED_CACHE, how, by).strip() == "alive"


LATE = """
#include <stdint.h>
struct stream { void *get_schema, *get_next, *get_last_error; void (*release)(struct stream *); void *data; };
static struct stream kept;
void keep(struct stream *s) { kept = *s; s->release = 0; }
__attribute__((destructor)) static void end(void) { if (kept.release) kept.release(&kept); }
"""

RELEASED_LATE = """
import ctypes, sys
import pyarrow as pa
import respool
from sources import SCHEMA, Source

library = ctypes.CDLL(sys.argv[1])
pointer = ctypes.pythonapi.PyCapsule_GetPointer
pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
source = Source(5)
source = respool.cache(source, schema=SCHEMA) if sys.argv[2] == "python" else respool.cache(source.reader())
capsule = source.__arrow_c_stream__()
library.keep(ctypes.c_void_p(pointer(capsule, b"arrow_array_stream")))
del capsule, source
print("ends")
"""


@pytest.mark.parametrize("source", ["python", "c"])
def test_a_stream_may_be_released_when_python_has_ended(source, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to write a library that keeps a stream")
    library = tmp_path / "late.so"
    command = [compiler, "-shared", "-fPIC", "-o", library, "-x", "c", "-"]
    subprocess.run(command, input=LATE, text=True, check=True)
    assert processes.run(RELEASED_LATE, library, source).strip() == "ends"


FORKED_INSIDE = """
import os, sys, threading, time
import respool
from sources import SCHEMA, batch

def napping():
    while True:
        time.sleep(0.3)
        yield batch(0)

def forking():
    if os.fork():
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    yield batch(0)

try:
    list(respool.cache(forking(), schema=SCHEMA))
except RuntimeError as error:
    assert "fork" in str(error)
cache = respool.cache(napping(), schema=SCHEMA)
threading.Thread(target=lambda: list(cache), daemon=True).start()
time.sleep(0.45)
"""


def test_a_child_forked_in_a_source_waits_at_exit_for_its_threads():
    processes.run(FORKED_INSIDE)
