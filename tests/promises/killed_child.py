"""Writers of one log that are killed at random times: see test_killed.py.

A program of its own, so that a writer is forked from one thread and is there at once.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import respool
from promises.sharing_child import SCHEMA, batch

BATCHES = 20


def write(path: Path, told: int) -> None:
    """Fill the log, or go on with it; say after each flush how much is acknowledged."""
    stream = (batch(i) for i in range(BATCHES))
    os.write(told, bytes([0]))
    if (path / "_manifest").exists():
        cache = respool.resume(path, stream)
    else:
        cache = respool.cache(stream, schema=SCHEMA, path=path, memory=0)
    for i, _ in enumerate(cache):
        if i % 3 == 2:
            cache.flush()
            os.write(told, bytes([i + 1]))
    os.write(told, bytes([BATCHES + 1]))  # the end, which is durable too


def killed(path: Path, after: float) -> tuple[int, bool]:
    """Let a writer be killed after so many seconds: what it had acknowledged, and whether it failed by itself."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        try:
            write(path, writes)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as told:
        told.read(1)  # it has begun
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        acknowledged = max(told.read(), default=0)
    return acknowledged, os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0


def fault(path: Path, acknowledged: int) -> str | None:
    """What is wrong with what a killed writer has left."""
    if not (path / "_manifest").exists():
        return f"{acknowledged} acknowledged and no log" if acknowledged else None
    log = respool.open(path)
    count = log.num_batches
    is_whole = acknowledged > BATCHES
    if log.complete and count != BATCHES:
        return f"complete with {count} batches"
    if count < min(acknowledged, BATCHES) or (is_whole and not log.complete):
        return f"{count} batches, complete: {log.complete}, and {acknowledged} acknowledged"
    for i, given in enumerate(log.prefix()):
        if not given.equals(batch(i)):
            return f"batch {i} is another one"
    log.close()
    return None


def main(directory: Path, kills: int) -> None:
    chance = random.Random(1)  # noqa: S311
    done = resumed = logs = 0
    # What is done for the first time takes long, and would be in every child.
    reads, writes = os.pipe()
    write(directory / "warm", writes)
    os.close(writes)
    os.close(reads)
    while done < kills:
        path = directory / str(logs)
        logs += 1
        acknowledged, is_over = 0, False
        while not is_over and done < kills:
            told, failed = killed(path, chance.uniform(0, 0.03))
            done += 1
            resumed += acknowledged > 0
            acknowledged = max(acknowledged, told)
            found = "the writer failed" if failed else fault(path, acknowledged)
            if found:
                print("FAULT", found, path, flush=True)
                sys.exit(1)
            is_over = (path / "_manifest").exists() and respool.open(path).complete
    print(done, logs, resumed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
