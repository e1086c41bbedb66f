"""One process writes a log and many read it: whoever is killed, nobody reads anything but the stream.

A writer fills a log, flushes now and then, is killed at random times and followed by another that goes on
with it; eight readers follow it, compare every batch with the stream, and are killed and begun anew too.
What a flush had acknowledged before a reader opened the log has to be there, and only a whole log may end.

Not promised: that a follower outlives its writer; it is told, and opens the log again.
"""

import itertools
import random
import subprocess
import sys
import time
from collections import Counter

import pytest

from promises import children

SECONDS = {"short": 6, "long": 60}
READERS = {"short": 3, "long": 8}
BATCHES = 400


class Round:
    """One log, who writes it and who reads it."""

    def __init__(self, path, readers, chance):
        path.parent.mkdir()
        self.path = path
        self.chance = chance
        self.writer = self.start("write")
        self.readers = [self.start("read") for _ in range(readers)]
        # A machine that is slow to start processes gets there too.
        self.left = 4
        self.counts = Counter(rounds=1, killed_writers=0, killed_readers=0, batches=0)
        self.faults = []

    def start(self, what):
        return subprocess.Popen(
            [sys.executable, "-m", "promises.sharing_child", what, self.path, str(BATCHES)],
            env=children.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def is_over(self):
        return bool(self.faults) or (self.writer.poll() is not None and not self.readers)

    def kill_some(self):
        if self.writer.poll() is None and self.left and self.chance.random() < 0.08:
            self.left -= 1
            self.counts["killed_writers"] += 1
            self.writer.kill()
        for i, reader in enumerate(self.readers):
            if reader.poll() is None and self.chance.random() < 0.03:
                self.counts["killed_readers"] += 1
                reader.kill()
                reader.communicate()
                self.readers[i] = self.start("read")

    def look(self):
        """Begin a writer anew that was killed, and take down what ended by itself."""
        if self.writer.poll():
            _, told = self.writer.communicate()
            if self.writer.returncode > 0:
                self.faults.append(told)
            self.writer = self.start("write")
        for reader in [reader for reader in self.readers if reader.poll() is not None]:
            self.readers.remove(reader)
            out, err = reader.communicate()
            if reader.returncode:
                self.faults.append(err)
            else:
                self.counts["batches"] += int(out.split()[-1])

    def close(self):
        for child in (self.writer, *self.readers):
            child.kill()
            child.communicate()


@pytest.mark.timeout(300)
def test_a_writer_and_readers_that_are_killed(log_dir, long, figure):
    length = "long" if long else "short"
    chance = random.Random(0)  # noqa: S311
    end = time.monotonic() + SECONDS[length]
    counts, faults = Counter(), []
    for number in itertools.count():
        turn = Round(log_dir / str(number) / "log", READERS[length], chance)
        while not turn.is_over:
            time.sleep(chance.uniform(0.05, 0.3))
            turn.kill_some()
            turn.look()
            if time.monotonic() > end + 60:
                turn.faults.append("somebody waits for ever")
        turn.close()
        counts.update(turn.counts)
        faults += turn.faults
        if faults or time.monotonic() > end:
            break
    figure("sharing", **counts, differences=len(faults))
    assert not faults, faults[0][-3000:]
