"""A disk that takes what is written and then can't make it durable: that is said, for good, and by everybody."""

import subprocess

import pytest

import processes
import respool
from respool.exceptions import IncompleteStreamError
from seccomp import needs_seccomp
from sources import Source

pytestmark = needs_seccomp

BEGIN = """
import sys, threading
import respool
from respool.exceptions import IncompleteStreamError
from seccomp import refuse_syncs
from sources import SCHEMA, Source

path, how = sys.argv[1:]
cache = respool.cache(Source(5), path=path, schema=SCHEMA)
reader = iter(cache)
next(reader)

def refused(call):
    try:
        call()
    except OSError as error:
        assert "is not safely on disk" in str(error), error
        return True
    return False

refuse_syncs()
"""

CLOSE = """
if how == "read":
    assert refused(lambda: list(reader))
    assert refused(lambda: list(cache))
    assert not cache.complete
else:
    assert refused(cache.flush)
if how == "threads":
    told = []
    threads = [threading.Thread(target=lambda: told.append(refused(cache.close))) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert told == [True] * 4, told
else:
    assert refused(cache.close)
    assert refused(cache.close)
print("closed", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ["flush", "read", "threads"])
def test_who_closes_is_told_and_the_log_is_let_go(tmp_path, how):
    path = tmp_path / "log"
    child = processes.start(BEGIN + CLOSE, path, how, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "closed")
        # The process is still there, and so is the cache; but nobody waits for it.
        with respool.open(path, timeout=30) as left, pytest.raises(IncompleteStreamError):
            list(left)
        with respool.resume(path, Source(5)) as cache:
            assert cache.to_arrow().num_rows == 500
        out, err = child.communicate("\n", timeout=30)
    assert child.returncode == 0, f"{out}\n{err}"


def test_a_context_manager_tells_too(tmp_path):
    code = BEGIN + "assert refused(lambda: cache.__exit__(None, None, None))\nprint('told')"
    assert processes.run(code, tmp_path / "log", "").strip() == "told"


FAILS = """
import sys
import respool
from seccomp import refuse_syncs
from sources import SCHEMA, Source

def source():
    yield from Source(3)
    raise LookupError("the wire broke")

cache = respool.cache(source(), path=sys.argv[1], schema=SCHEMA)
next(iter(cache))
if sys.argv[2] == "refused":
    refuse_syncs()
for _ in range(2):
    try:
        list(cache)
    except LookupError:
        print("the source's own")
for call in (cache.flush, cache.close, cache.close):
    try:
        call()
        print("durable")
    except OSError as error:
        assert "is not safely on disk" in str(error), error
        print("not durable")
"""


@pytest.mark.parametrize("syncs", ["refused", "done"])
def test_a_log_whose_source_failed_is_durable_or_said_not_to_be(tmp_path, syncs):
    said = "not durable" if syncs == "refused" else "durable"
    told = processes.run(FAILS, tmp_path / "log", syncs).splitlines()
    assert told == ["the source's own"] * 2 + [said] * 3
    with respool.open(tmp_path / "log") as log:
        assert log.prefix().num_rows == 300
