"""A writer that is killed at any time leaves whole batches, all that it had acknowledged, and no false end.

Writers of a log of 20 batches that flush after every third are killed after a random time, and followed by
one that goes on with the log, until it is whole. After each kill the log is opened and compared with the
stream, batch by batch, with what had been acknowledged, and with whether the end had been. The log's own tests
kill at every single write and sync, and take away any part of what was not synced.

Not promised: batches that were not flushed, after the machine lost its power.
"""

import pytest

from promises import children

KILLS = {"short": 40, "long": 600}


@pytest.mark.timeout(600)
def test_writers_that_are_killed_at_random_times(log_dir, long, figure):
    kills = KILLS["long" if long else "short"]
    ended = children.run("-m", "promises.killed_child", log_dir, kills, timeout=500)
    assert ended.code == 0, ended.told()
    done, logs, resumed = map(int, ended.out.split())
    figure("killed", kills=done, logs=logs, kills_while_going_on=resumed, faults=0)
    assert done == kills
    assert resumed > 0
