"""A process that serves ends when it wants to, whatever its clients do; and so does a forked child of it."""

import os

import processes

SILENT = """
import subprocess, sys
import pyarrow as pa
import respool, respool.flight

CLIENT = '''
import sys, time
from pyarrow import flight
client = flight.connect(sys.argv[1])
info = client.get_flight_info(flight.FlightDescriptor.for_path("it"))
reader = client.do_get(info.endpoints[-1].ticket)
reader.read_chunk()
print("reads nothing more", flush=True)
time.sleep(60)
'''
schema = pa.schema({"x": pa.int64()})
rows = pa.record_batch({"x": pa.array(range(100_000))})
cache = respool.cache((rows for _ in range(200)), schema=schema)
server = respool.flight.serve({"it": cache})
client = subprocess.Popen([sys.executable, "-c", CLIENT, server.uri], stdout=subprocess.PIPE)
client.stdout.readline()
print(client.pid, flush=True)
"""

FORKED = """
import os, sys, threading, time
import pyarrow as pa
import respool, respool.flight
from respool._flight import pull

pull._IDLE = 60
schema = pa.schema({"x": pa.int64()})
cache = respool.cache((pa.record_batch({"x": [i]}) for i in range(9)), schema=schema)
server = respool.flight.serve({"it": cache})
there = iter(respool.flight.open(server.uri))
next(there)
# Python 3.11 itself may hang in a child where a thread of C++ comes into Python at that moment.
while server.streams:
    time.sleep(0.01)
time.sleep(0.2)
(pulling,) = pull._THREADS.values()
held, free = threading.Event(), threading.Event()
def hold():
    with pulling._changed:
        held.set()
        free.wait()
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if not child:
    sys.exit(7)
free.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), sum(1 for _ in there))
server.close()
"""

IN_ITS_SOURCE = """
import threading, time
import pyarrow as pa
import respool, respool.flight
from pyarrow import flight

class Last:
    def __del__(self):
        # Python is being ended meanwhile, and a thread that comes back is too.
        time.sleep(1.5)

asked = threading.Event()

def batches():
    asked.set()
    time.sleep(1)
    yield pa.record_batch([pa.array([1])], schema)

schema = pa.schema({"x": pa.int64()})
# Through C++, which a thread that Python ends can't leave.
cache = respool.cache(pa.RecordBatchReader.from_batches(schema, batches()))
server = respool.flight.serve({"it": cache})
client = flight.connect(server.uri)
reader = client.do_get(client.get_flight_info(flight.FlightDescriptor.for_path("it")).endpoints[-1].ticket)
reader.read_chunk()
asked.wait()
reader.cancel()
last = Last()
"""


def test_the_end_waits_for_who_is_in_a_source():
    processes.run(IN_ITS_SOURCE)


def test_the_end_does_not_wait_for_a_client_that_does_not_read():
    process = processes.start(SILENT)
    with processes.killed_at_the_end(process):
        client = int(process.stdout.readline())
        try:
            assert process.wait(20) == 0, process.stderr.read()
        finally:
            os.kill(client, 9)


def test_a_forked_child_ends_by_itself_whatever_a_thread_of_its_parent_holds():
    process = processes.start(FORKED)
    with processes.killed_at_the_end(process):
        assert process.wait(20) == 0, process.stderr.read()
        assert process.stdout.read().split() == ["7", "8"]


GIVEN_UP = """
import threading, time
import respool.flight
from respool._flight import fetch

is_called = threading.Event()

class Slow:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        print("came back", flush=True)
    def get_flight_info(self, *_):
        is_called.set()
        time.sleep(0.3)
        raise KeyError

fetch.Server.connect = lambda _: Slow()
threading.Thread(target=respool.flight.open, args=("grpc://127.0.0.1:1",), daemon=True).start()
is_called.wait()
"""


def test_the_end_waits_for_a_call_that_nobody_waits_for_any_more():
    assert "came back" in processes.run(GIVEN_UP)
