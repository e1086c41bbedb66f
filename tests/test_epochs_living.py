"""Epochs and what goes on around them: sources that are still read, threads, forks, kills, the end."""

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref

import pyarrow as pa
import pytest

import processes
import respool

SCHEMA = pa.schema({"id": pa.int64()})


def batches(count: int, rows: int = 10) -> list[pa.RecordBatch]:
    return [
        pa.record_batch({"id": pa.array(range(i * rows, (i + 1) * rows), pa.int64())})
        for i in range(count)
    ]


def cached(count: int = 20) -> respool.StreamCache:
    cache = respool.cache(iter(batches(count)), schema=SCHEMA, disk=None)
    cache.ingest_all()
    return cache


def rows_of(steps: object) -> list[int]:
    return [row for step in steps for row in step["id"].to_pylist()]


# --- following ---


def test_the_first_epoch_begins_with_the_first_rows():
    asked = []

    def source():
        for batch in batches(6):
            asked.append(len(asked))
            yield batch

    cache = respool.cache(source(), schema=SCHEMA, disk=None)
    epochs = respool.epochs(cache, batch_size=20, follow=True)
    with pytest.raises(TypeError, match="not at its end"):
        len(epochs)
    assert epochs.num_rows is None
    epochs.set_epoch(1)
    with pytest.raises(ValueError, match="the first epoch reads it"):
        iter(epochs)
    epochs.set_epoch(0)
    steps = iter(epochs)
    assert asked == []
    for number in range(3):
        assert next(steps)["id"].to_pylist() == list(range(number * 20, number * 20 + 20))
        assert len(asked) == (number + 1) * 2
        assert epochs.state_dict()["layout"] is None
    assert next(steps, None) is None
    assert (len(epochs), epochs.num_rows, epochs.epoch) == (3, 60, 1)
    second = rows_of(epochs)
    assert sorted(second) == list(range(60))
    assert second != list(range(60))
    assert len(asked) == 6


def test_a_state_of_a_source_that_was_read_is_taken_up_when_it_is_whole(log_dir):
    def source():
        yield from batches(7)

    path = log_dir / "log"
    cache = respool.cache(source(), schema=SCHEMA, path=path)
    epochs = respool.epochs(cache, batch_size=20, follow=True, tail="pad")
    steps = iter(epochs)
    first = [row for _ in range(2) for row in next(steps)["id"].to_pylist()]
    state = epochs.state_dict()
    assert state["layout"] is None
    cache.ingest_all()
    epochs.close()
    cache.close()
    with respool.epochs(path, batch_size=20, follow=True, tail="pad") as again:
        again.load_state_dict(state)
        assert first + rows_of(again) == [*range(70), *range(10)]
        assert len(again) == 4


def test_a_source_that_fails_does_so_behind_its_rows():
    def source():
        yield from batches(3)
        raise ZeroDivisionError("on purpose")

    cache = respool.cache(source(), schema=SCHEMA, disk=None)
    steps = iter(respool.epochs(cache, batch_size=10, follow=True))
    assert rows_of(next(steps) for _ in range(3)) == list(range(30))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            next(steps)


def test_after_a_source_that_failed_every_epoch_says_so():
    def source():
        yield from batches(2)
        raise ConnectionError("the wire broke")

    epochs = respool.epochs(
        respool.cache(source(), schema=SCHEMA), batch_size=10, follow=True, prefetch=0
    )
    for epoch in (0, 1):
        epochs.set_epoch(epoch)
        with pytest.raises(ConnectionError, match="the wire broke"):
            list(epochs)


def test_another_process_is_followed(log_dir):
    path = log_dir / "log"
    go_on = threading.Event()

    def source():
        for number, batch in enumerate(batches(4)):
            if number == 2:
                go_on.wait(20)
            yield batch

    cache = respool.cache(source(), schema=SCHEMA, path=path)
    cache.batch(1)
    code = """
import sys, respool
epochs = respool.epochs(sys.argv[1], batch_size=10, follow=True)
for step in epochs:
    print(step["id"][0], flush=True)
print(len(epochs), sorted(x for s in epochs for x in s["id"].to_pylist()) == list(range(40)))
"""
    child = processes.start(code, path)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "10")
        go_on.set()
        cache.ingest_all()
        out, err = child.communicate(timeout=30)
    assert out.split() == ["20", "30", "4", "True"], err


def test_a_filtered_view_is_not_followed():
    cache = respool.cache(iter(batches(2)), schema=SCHEMA, disk=None)
    with pytest.raises(ValueError, match="can't be followed"):
        respool.epochs(cache.filter([("id", ">", 3)]), batch_size=2, follow=True)


# --- threads ---


def threads_of_ours() -> list[str]:
    names = []
    for task in __import__("pathlib").Path("/proc/self/task").iterdir():
        try:
            names.append((task / "comm").read_text().strip())
        except OSError:  # it has just ended
            continue
    return [name for name in names if name.startswith("respool-epochs")]


def threads_have_ended() -> bool:
    """Wait for the system: a thread that has let go of everything is still there for a moment."""
    deadline = time.monotonic() + 5
    while threads_of_ours() and time.monotonic() < deadline:
        time.sleep(0.01)
    return threads_of_ours() == []


def test_the_thread_ends_with_the_iteration():
    epochs = respool.epochs(cached(), batch_size=10)
    steps = iter(epochs)
    assert threads_of_ours() == []
    for _ in steps:
        assert len(threads_of_ours()) == 1
    assert threads_have_ended()
    steps = iter(epochs)
    next(steps)
    assert len(threads_of_ours()) == 1
    epochs.close()
    assert threads_have_ended()
    steps = iter(respool.epochs(cached(), batch_size=10))
    next(steps)
    del steps
    gc.collect()
    assert threads_have_ended()
    steps = iter(respool.epochs(cached(), batch_size=10, prefetch=0))
    next(steps)
    assert threads_of_ours() == []
    assert len(rows_of(steps)) == 190


def test_closing_ends_an_iteration_on_another_thread():
    never = threading.Event()

    def source():
        yield from batches(1)
        never.wait(30)

    cache = respool.cache(source(), schema=SCHEMA, disk=None, prefetch="1 batches")
    epochs = respool.epochs(cache, batch_size=10, follow=True)
    began = threading.Event()

    def read() -> int:
        steps = iter(epochs)
        next(steps)
        began.set()
        with pytest.raises(ValueError, match="these epochs were closed"):
            next(steps)
        return 1

    def close() -> None:
        began.wait(10)
        time.sleep(0.1)
        epochs.close()

    with processes.no_hang(30):
        assert processes.in_threads(read, close) == [1, None]
    never.set()
    assert repr(epochs).startswith("<respool.Epochs closed, at step 1 of epoch 0")
    for use in (epochs.state_dict, epochs.arrays, lambda: iter(epochs), lambda: len(epochs)):
        with pytest.raises(ValueError, match="these epochs were closed"):
            use()


@pytest.mark.parametrize("prefetch", [None, "1 batches"])
@pytest.mark.parametrize("how", ["close", "set_epoch", "again"])
def test_nobody_waits_for_a_stalled_source_to_end_an_iteration(how, prefetch):
    stalls, go_on = threading.Event(), threading.Event()

    def source():
        yield from batches(1)
        stalls.set()
        go_on.wait(30)
        yield from batches(1)

    cache = respool.cache(source(), schema=SCHEMA, disk=None, prefetch=prefetch)
    epochs = respool.epochs(cache, batch_size=10, follow=True)
    steps = iter(epochs)
    next(steps)
    end = {
        "close": epochs.close,
        "set_epoch": lambda: epochs.set_epoch(1),
        "again": lambda: iter(epochs),
    }[how]
    ended = threading.Event()

    def ending() -> None:
        assert stalls.wait(10)
        # The other one waits now, or is in the source.
        time.sleep(0.1)
        end()
        ended.set()

    def reading() -> None:
        with pytest.raises((ValueError, RuntimeError)) as caught:
            next(steps)
        said = "these epochs were closed" if how == "close" else "this iteration has ended"
        assert said in str(caught.value)

    def going_on() -> bool:
        was_soon = ended.wait(5)
        go_on.set()
        return was_soon

    tasks = [reading, ending, going_on]
    if prefetch is not None:
        # It waits, and is not in the source: it ends before that goes on.
        tasks = [lambda: (reading(), go_on.is_set()), ending, lambda: ended.wait(5)]
    with processes.no_hang(40):
        told, _, was_soon = processes.in_threads(*tasks)
    go_on.set()
    assert told in (None, (None, False))
    assert was_soon
    # No row is lost: what the source gave meanwhile is in the cache.
    assert cache.ingest_all() == 2


def test_a_log_that_another_process_fills_is_let_go_at_once(log_dir):
    path = log_dir / "log"
    code = """
import sys, pyarrow as pa, respool
def source():
    yield pa.record_batch({"id": pa.array(range(10), pa.int64())})
    print("begun", flush=True)
    sys.stdin.readline()
respool.cache(source(), schema=pa.schema({"id": pa.int64()}), path=sys.argv[1]).ingest_all()
"""
    child = processes.start(code, path, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child), processes.no_hang(40):
        processes.wait_for_line(child, "begun")
        epochs = respool.epochs(path, batch_size=10, follow=True)

        def reading() -> None:
            with pytest.raises(ValueError, match="these epochs were closed"):
                list(epochs)

        def ending() -> float:
            while not epochs.steps_done:
                time.sleep(0.01)
            time.sleep(0.1)
            began = time.monotonic()
            epochs.close()
            return time.monotonic() - began

        told, took = processes.in_threads(reading, ending)
    assert told is None
    assert took < 5


def test_a_source_may_close_the_epochs_that_read_it():
    def source():
        yield from batches(1)
        epochs.close()
        yield from batches(1)

    cache = respool.cache(source(), schema=SCHEMA, disk=None)
    epochs = respool.epochs(cache, batch_size=10, follow=True)
    steps = iter(epochs)
    next(steps)
    with processes.no_hang(30), pytest.raises(ValueError, match="these epochs were closed"):
        next(steps)
    assert cache.ingest_all() == 2


def test_several_threads_share_the_steps_of_one_iteration():
    steps = iter(respool.epochs(cached(200), batch_size=10))
    taken = processes.in_threads(*[lambda: rows_of(steps)] * 4)
    assert sorted(row for rows in taken for row in rows) == list(range(2000))


def test_rows_are_taken_by_many_threads_at_once(log_dir):
    with respool.cache(iter(batches(50)), schema=SCHEMA, path=log_dir / "log") as cache:
        cache.ingest_all()
        epochs = respool.epochs(cache, batch_size=10)

        def take(first: int) -> bool:
            wanted = [(first + i * 7) % 500 for i in range(300)]
            return [epochs.take([row])["id"][0].as_py() for row in wanted] == wanted

        assert processes.in_threads(*[lambda i=i: take(i) for i in range(4)]) == [True] * 4


def test_a_closed_cache_ends_the_steps_with_its_error():
    cache = cached(400)
    steps = iter(respool.epochs(cache, batch_size=10, window=2))
    next(steps)
    cache.close()
    with pytest.raises(ValueError, match="the cache is closed"):
        list(steps)


def test_ctrl_c_ends_a_wait_and_no_step_is_lost():
    code = """
import threading, _thread, time
import pyarrow as pa, respool
go_on = threading.Event()
def source():
    yield pa.record_batch({"id": pa.array(range(10), pa.int64())})
    go_on.wait(20)
    yield pa.record_batch({"id": pa.array(range(10, 20), pa.int64())})
cache = respool.cache(
    source(), schema=pa.schema({"id": pa.int64()}), disk=None, prefetch="1 batches"
)
steps = iter(respool.epochs(cache, batch_size=10, follow=True))
next(steps)
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    next(steps)
except KeyboardInterrupt:
    print("interrupted")
go_on.set()
time.sleep(0.1)
print(next(steps)["id"][0], next(steps, None))
"""
    assert processes.run(code).split() == ["interrupted", "10", "None"]


def test_a_step_that_a_signal_took_on_its_way_comes_again():
    def ring(*_: object) -> None:
        raise TimeoutError

    rows = 1_200_000
    text = [f"number {i}" for i in range(rows)]
    cache = respool.cache(pa.table({"id": range(rows), "text": text}).to_reader(100_000), disk=None)
    cache.ingest_all()
    epochs = respool.epochs(cache, batch_size=rows // 6, prefetch=0)
    steps, given, rung = iter(epochs), [], 0
    before = signal.signal(signal.SIGUSR1, ring)
    try:
        for _ in range(100):
            # Long before a step is made.
            timer = threading.Timer(0.002, signal.raise_signal, (signal.SIGUSR1,))
            try:
                timer.start()
                step = next(steps, None)
            except TimeoutError:
                rung += 1
                assert epochs.steps_done == len(given)
                timer = threading.Timer(0, int)
                step = next(steps, None)
            finally:
                timer.cancel()
            if step is None:
                break
            given.append(step["id"])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert rung >= 3
    assert sorted(pa.chunked_array(given).to_pylist()) == list(range(rows))


# --- cycles, forks, the end ---


def cycles() -> list[weakref.ref]:
    class Holder:
        pass

    holder = Holder()
    holder.epochs = respool.epochs(cached(), batch_size=10)
    holder.steps = iter(holder.epochs)
    next(holder.steps)

    def source():
        yield from batches(2)
        assert holder.followed
        yield from batches(2)

    cache = respool.cache(source(), schema=SCHEMA, disk=None)
    holder.followed = respool.epochs(cache, batch_size=10, follow=True)
    holder.more = iter(holder.followed)
    next(holder.more)
    return [weakref.ref(holder.epochs), weakref.ref(holder.followed), weakref.ref(cache)]


def test_cycles_through_an_iteration_are_collected():
    gone = cycles()
    assert len(threads_of_ours()) == 2
    gc.collect()
    assert [ref() for ref in gone] == [None] * 3
    assert threads_have_ended()


FORKS = """
import os, signal, sys
import pyarrow as pa, respool

cache = respool.open(sys.argv[1])
epochs = respool.epochs(cache, batch_size=10, seed=3)
whole = [step["id"].to_pylist() for step in epochs]
epochs.set_epoch(0)
steps = iter(epochs)
first = next(steps)["id"].to_pylist()
epochs.take([0])  # imports pandas: not in each child
for _ in range(5):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            next(steps)
        except Exception as error:
            refused = "fork" in str(error)
        again = [step["id"].to_pylist() for step in epochs]
        taken = epochs.take([5])["id"].to_pylist()
        os._exit(0 if refused and again == whole and taken == [5] else 1)
    assert os.waitpid(child, 0)[1] == 0
assert [first] + [step["id"].to_pylist() for step in steps] == whole
print("unharmed")
"""


def test_a_forked_child_begins_the_epoch_anew(log_dir):
    path = log_dir / "log"
    with respool.cache(iter(batches(20)), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
    assert processes.run(FORKS, path).strip() == "unharmed"


KILLED = """
import json, os, sys
import respool
path, rank, world, state = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
epochs = respool.epochs(path, batch_size=12, seed=1, rank=rank, world_size=world, window=3)
if os.path.exists(state):
    epochs.load_state_dict(json.load(open(state)))
for step in epochs:
    print(*step["id"].to_pylist(), flush=True)
    with open(state + ".new", "w") as file:
        json.dump(epochs.state_dict(), file)
    os.replace(state + ".new", state)
    sys.stdin.readline()
print("end", flush=True)
"""


def test_after_kill_9_other_ranks_go_on_exactly(log_dir):
    path = log_dir / "log"
    with respool.cache(iter(batches(12)), schema=SCHEMA, path=path) as cache:
        cache.ingest_all()
    seen, state = [], log_dir / "state"
    for world, steps in ((2, 3), (4, 2), (3, 99)):
        before = state.read_bytes() if state.exists() else None
        for rank in range(world):
            state.unlink(missing_ok=True)
            if before:
                state.write_bytes(before)
            code = (KILLED, path, rank, world, state)
            child = processes.start(*code, stdin=processes.subprocess.PIPE)
            with processes.killed_at_the_end(child):
                for number in range(steps):
                    line = child.stdout.readline().split()
                    if line == ["end"]:
                        break
                    seen += map(int, line)
                    if number < steps - 1:
                        child.stdin.write("\n")
                        child.stdin.flush()
                # The state of the step that was given last is written before it asks for the next one.
                deadline = time.monotonic() + 30
                while steps < 99 and f'"rows_done": {done(before) + steps * 12},' not in text(
                    state
                ):
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                child.send_signal(signal.SIGKILL)
                child.wait()
    assert sorted(seen) == list(range(120))


def text(path: object) -> str:
    return path.read_text() if path.exists() else ""


def done(state: bytes | None) -> int:
    import json

    return json.loads(state)["rows_done"] if state else 0


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("form", ["iter(epochs)", "epochs.arrays()"])
def test_the_process_ends_in_the_middle_of_an_iteration(follow, form):
    code = f"""
import threading
import numpy, pyarrow as pa, respool
batches = [pa.record_batch({{"id": pa.array(range(10), pa.int64())}})] * 50
cache = respool.cache(iter(batches), schema=batches[0].schema, disk=None)
if not {follow}:
    cache.ingest_all()
epochs = respool.epochs(cache, batch_size=10, follow={follow}, prefetch=3)
steps = {form}
next(steps)
def read():
    for step in steps:
        pass
threading.Thread(target=read, daemon=True).start()
print("end")
"""
    began = time.monotonic()
    assert processes.run(code).strip() == "end"
    assert time.monotonic() - began < 15


AFTER_FORKS = """
import os, signal, sys
import pyarrow as pa
import respool

def batches():
    for _ in range(50):
        yield pa.record_batch({"x": list(range(100))})

path = sys.argv[1]
cache = respool.cache(batches(), schema=pa.schema({"x": pa.int64()}), path=path)
cache.ingest_all()

def begun():
    steps = iter(respool.epochs(cache, batch_size=50, prefetch=2))
    next(steps)
    return steps

steps, hung = begun(), 0
for _ in range(200):
    # The thread that reads ahead is woken, and goes to sleep again.
    if next(steps, None) is None or next(steps, None) is None:
        steps = begun()
    child = os.fork()
    if not child:
        signal.alarm(20)
        for _ in respool.epochs(respool.open(path), batch_size=50, prefetch=2):
            pass
        os._exit(0)
    hung += os.waitpid(child, 0)[1] != 0
    if hung:
        break
print(hung)
"""


def test_children_read_ahead_though_a_thread_of_their_parent_was_asleep(log_dir):
    run = subprocess.run(
        # Python 3.12 and later warn of every fork beside threads.
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            AFTER_FORKS,
            str(log_dir / "log"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("0\n", "")
