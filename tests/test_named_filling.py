"""A `fill` that asks for the name it is to fill, and what it has begun: nobody waits for himself."""

import pytest

import processes
import respool
from sources import SCHEMA, Source


def test_a_source_that_asks_for_itself_before_its_schema_is_known_is_told_so(log_dir):
    def fill():
        respool.named("trips", fill, schema="first", directory=log_dir)
        yield from Source()

    with processes.no_hang(20), pytest.raises(RuntimeError, match="asks for 'trips' itself"):
        respool.named("trips", fill, schema="first", directory=log_dir)
    assert respool.named("trips", Source, schema=SCHEMA, directory=log_dir).schema == SCHEMA


@pytest.mark.parametrize("written", ["caches/../caches", "link/caches"])
def test_a_fill_that_asks_for_itself_by_another_path_is_told_so(log_dir, written):
    (log_dir / "link").symlink_to(log_dir)

    def fill():
        return respool.named("trips", fill, directory=log_dir / written)

    with processes.no_hang(20), pytest.raises(RuntimeError, match="asks for 'trips' itself"):
        respool.named("trips", fill, directory=log_dir / "caches")


FORKS = """
import os, sys, warnings
import pyarrow as pa, respool

warnings.simplefilter("ignore")  # about forks
go, over = os.pipe(), os.pipe()

def ask(key):
    try:
        return respool.named(
            "trips", lambda: pa.table({"n": [1]}), key=key, directory=sys.argv[1], timeout=5, ingest=True
        ).num_rows
    except RuntimeError as error:
        return error

def fill():
    if not os.fork():
        during = ask("during")
        os.write(over[1], b"asked")
        os.read(go[0], 1)
        print("during:", during)
        print("later:", ask("later"), respool.rm("trips", sys.argv[1]), flush=True)
        os._exit(0)
    os.read(over[0], 5)
    return pa.table({"n": [1, 2]})

respool.named("trips", fill, directory=sys.argv[1], ingest=True).close()
os.write(go[1], b"!")
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_what_a_fill_has_forked_may_ask_for_its_name_when_it_is_over(log_dir):
    during, later = processes.run(FORKS, log_dir).splitlines()
    assert during.startswith("during: the fill of 'trips' asks for 'trips' itself")
    assert later == "later: 1 None"
