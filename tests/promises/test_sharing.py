"""One process writes a log and many read it: whoever is killed, nobody reads anything but the stream.

A writer fills a log, flushes now and then, is killed at random times and followed by another that goes on
with it; eight readers follow it, compare every batch with the stream, and are killed and begun anew too.
What a flush had acknowledged before a reader opened the log has to be there, and only a whole log may end.

Not promised: that a follower outlives its writer; it is told, and opens the log again.
"""

import random
import subprocess
import sys
import time

import pytest

from promises import children

SECONDS = {"short": 6, "long": 60}
READERS = {"short": 3, "long": 8}
BATCHES = 400


def start(what, path):
    return subprocess.Popen(
        [sys.executable, "-m", "promises.sharing_child", what, path, str(BATCHES)],
        env=children.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(300)
def test_a_writer_and_readers_that_are_killed(log_dir, long, figure):
    length = "long" if long else "short"
    chance = random.Random(0)
    end = time.monotonic() + SECONDS[length]
    counts = dict.fromkeys(["rounds", "killed_writers", "killed_readers", "batches"], 0)
    faults = []
    number = 0
    while time.monotonic() < end and not faults:
        number += 1
        path = log_dir / str(number) / "log"
        path.parent.mkdir()
        writer = start("write", path)
        readers = [start("read", path) for _ in range(READERS[length])]
        done = 0
        left = 4  # a machine that is slow to start processes gets there too
        while (done < len(readers) or writer.poll() is None) and not faults:
            time.sleep(chance.uniform(0.05, 0.3))
            if writer.poll() is None and left and chance.random() < 0.08:
                left -= 1
                writer.kill()
                counts["killed_writers"] += 1
            if writer.poll() is not None and writer.returncode != 0:
                told = writer.communicate()[1]
                if writer.returncode > 0:
                    faults.append(told)
                writer = start("write", path)
            for i, reader in enumerate(readers):
                if reader.poll() is None:
                    if chance.random() < 0.03:
                        reader.kill()
                        reader.communicate()
                        counts["killed_readers"] += 1
                        readers[i] = start("read", path)
                elif reader.stdout and not reader.stdout.closed:
                    out, err = reader.communicate()
                    done += 1
                    if reader.returncode != 0:
                        faults.append(err)
                    else:
                        counts["batches"] += int(out.split()[-1])
            if time.monotonic() > end + 60:
                faults.append("somebody waits for ever")
        for child in (writer, *readers):
            child.kill()
            if child.stdout and not child.stdout.closed:
                child.communicate()
        counts["rounds"] += 1
    figure("sharing", **counts, differences=len(faults))
    assert not faults, faults[0][-3000:]
