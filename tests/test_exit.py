"""The end of Python while a thread of the user's is within a call of ours."""

import pytest

import processes

MAKING = """
import sys, threading, time
import pyarrow as pa
import respool

asked = threading.Event()
came_back = []
table = pa.table({"n": [1]})

class Slow:
    def wait(self):
        asked.set()
        time.sleep(0.5)
        came_back.append(True)

    def __arrow_c_stream__(self, requested_schema=None):
        self.wait()
        return table.__arrow_c_stream__()

    def __arrow_c_schema__(self):
        self.wait()
        return table.schema.__arrow_c_schema__()

    def __fspath__(self):
        self.wait()
        return "."

class Last:
    def __init__(self):
        self.came_back = came_back

    def __del__(self):
        # Python ends threads that come back from here on.
        print(len(self.came_back))

options = {"source": {}, "schema": {"schema": Slow()}, "directory": {"directory": Slow()}}[sys.argv[1]]
source = Slow() if sys.argv[1] == "source" else iter([])
threading.Thread(target=respool.cache, args=(source,), kwargs=options, daemon=True).start()
asked.wait()
last = Last()
"""


@pytest.mark.parametrize("slow", ["source", "schema", "directory"])
def test_the_end_waits_for_a_thread_that_makes_a_cache(slow):
    # One that Python ends in the middle of frames of Rust, which can't be unwound, may abort.
    assert processes.run(MAKING, slow) == "1\n"
