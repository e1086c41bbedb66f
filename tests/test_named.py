"""Named caches in one process: when `fill` is called, and what there is then."""

import contextvars
import datetime as dt
import gc
import subprocess
import time
import weakref

import pyarrow as pa
import pytest

import processes
import respool
from folders import inside
from respool.exceptions import IncompleteStreamError
from sources import SCHEMA, Source, SourceBrokeError, expected


class Fill:
    """Counts its calls, and gives a source of so many batches."""

    def __init__(self, batches=5, **options):
        self.options = {"batches": batches, **options}
        self.calls = 0
        self.source = None

    def __call__(self):
        self.calls += 1
        self.source = Source(**self.options)
        return self.source.reader()


@pytest.fixture
def named(log_dir):
    """`respool.named` in a directory of its own."""

    def get(name, fill, **options):
        return respool.named(name, fill, **{"directory": log_dir / "caches", **options})

    get.directory = log_dir / "caches"
    return get


def filled(named, name, fill, **options):
    """Fill a name to the end, and let it go."""
    with named(name, fill, **options) as cache:
        cache.ingest_all()
    return cache


def test_a_hit_does_not_call_fill(named):
    fill = Fill()
    filled(named, "trips", fill)
    for _ in range(2):
        cache = named("trips", fill)
        assert cache.complete
        assert pa.table(cache).equals(expected(5))
    assert fill.calls == 1


def test_the_source_is_read_as_the_cache_is(named):
    fill = Fill()
    cache = named("trips", fill)
    assert (fill.calls, fill.source.pulls) == (1, 0)
    next(cache.reader())
    assert fill.source.pulls == 1


def test_who_fills_gets_the_same_cache_again(named):
    fill = Fill()
    cache = named("trips", fill)
    next(cache.reader())
    again = named("trips", fill)
    assert again.ingested_count == 1
    assert pa.table(again).equals(expected(5))
    assert cache.complete
    assert fill.calls == 1


def test_the_last_of_those_who_have_got_it_closes_it(named):
    fill = Fill()
    first, second, third = (named("trips", fill) for _ in range(3))
    with first:
        next(iter(first))
    first.close()
    del third
    gc.collect()
    assert not second.closed
    assert pa.table(second).equals(expected(5))
    second.close()
    assert first.closed
    assert second.closed
    assert fill.calls == 1


def test_who_began_it_and_let_it_go_keeps_nobody_from_closing_it(named):
    fill = Fill()
    first = named("trips", fill)
    second = named("trips", fill)
    next(iter(second))
    del first
    gc.collect()
    second.close()
    assert second.closed
    with named("trips", fill) as third:
        assert third.ingested_count == 0
    assert fill.calls == 2


def test_threads_that_leave_early_do_not_end_the_fill_of_others(named):
    fill = Fill(20, pause=0.01)
    mine = named("trips", fill)

    def the_first():
        with named("trips", fill) as cache:
            return cache.head(2).num_rows

    told = processes.in_threads(lambda: pa.table(mine).num_rows, *[the_first] * 4)
    assert told == [2000, 2, 2, 2, 2]
    assert fill.calls == 1


def test_a_fill_that_refers_to_its_cache_is_collected(named):
    def made():
        def fill():
            yield from Source(5)
            caches.clear()

        caches = [named("trips", fill, schema=SCHEMA) for _ in range(2)]
        next(iter(caches[1]))
        return [weakref.ref(cache) for cache in caches]

    gone = made()
    gc.collect()
    assert [one() for one in gone] == [None, None]


def test_a_cache_that_was_let_go_half_way_is_filled_anew(named):
    fill = Fill()
    for closed in (True, False):
        cache = named("trips", fill)
        assert not cache.complete
        next(cache.reader())
        if closed:
            cache.close()
        del cache
    assert pa.table(named("trips", fill)).equals(expected(5))
    assert fill.calls == 3


@pytest.mark.parametrize(
    ("key", "other"),
    [
        (None, ""),
        ("a", "b"),
        ((1,), (True,)),
        ((1,), (1.0,)),
        ((1,), ("1",)),
        ((0,), (False,)),
        (("a",), "a"),
        (("a",), (b"a",)),
        ((None,), ("",)),
        (("a", "b"), ("ab",)),
        (("a", ("b",)), ("a", "b")),
        ((("a",), "b"), (("a", "b"),)),
        ((), ((),)),
        ((dt.date(2026, 1, 1),), (dt.datetime(2026, 1, 1),)),  # noqa: DTZ001
        ((dt.datetime(2026, 1, 1, tzinfo=dt.UTC),), (dt.datetime(2026, 1, 1),)),  # noqa: DTZ001
        ((float("nan"),), (0.0,)),
    ],
)
def test_another_key_is_filled_anew(named, key, other):
    first, second = Fill(1), Fill(2)
    filled(named, "trips", first, key=key)
    assert named("trips", second, key=key).num_rows == 100
    assert filled(named, "trips", second, key=other).metrics
    assert (first.calls, second.calls) == (1, 1)
    assert named("trips", second, key=other).num_rows == 200


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (("a", 1, None, 2.5), ("a", 1, None, 2.5)),
        ((float("nan"),), (float("-nan"),)),
        ((0.0,), (-0.0,)),
        ((10**30,), (10**30,)),
        (("\udc80\0",), ("\udc80\0",)),
        (
            (dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC),),
            (dt.datetime(2026, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),),
        ),
    ],
)
def test_the_same_key_is_a_hit(named, key, same):
    fill = Fill()
    filled(named, "trips", fill, key=key)
    assert named("trips", fill, key=same).complete
    assert fill.calls == 1


@pytest.mark.parametrize("key", [1, b"a", ["a"], (["a"],), (object(),), ({},), (lambda: 1,)])
def test_what_is_not_plain_is_no_key(named, key):
    fill = Fill()
    with pytest.raises(TypeError, match="key"):
        named("trips", fill, key=key)
    assert fill.calls == 0


def test_a_key_has_its_bounds(named):
    deep = ()
    for _ in range(100):
        deep = (deep,)
    for key in ("a" * 100_000, deep):
        with pytest.raises(ValueError, match="key"):
            named("trips", Fill(), key=key)


def test_ls_gives_keys_back(named):
    key = ("EU", None, True, 1, -2.5, b"\0", dt.date(2026, 1, 2), (dt.datetime(2026, 1, 1), ()))  # noqa: DTZ001
    filled(named, "trips", Fill(), key=key)
    (one,) = respool.ls(named.directory)
    assert one.key == key
    assert [type(item) for item in one.key] == [type(item) for item in key]


@pytest.mark.parametrize("ttl", [3600, dt.timedelta(hours=1)])
def test_what_is_too_old_is_filled_anew(named, monkeypatch, ttl):
    fill = Fill()
    filled(named, "trips", fill, ttl=ttl)
    filled(named, "trips", fill, ttl=ttl)
    assert fill.calls == 1
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3500)
    assert named("trips", fill, ttl=ttl).complete
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    filled(named, "trips", fill, ttl=ttl)
    assert fill.calls == 2


def test_the_shorter_life_counts(named, monkeypatch):
    fill = Fill()
    filled(named, "trips", fill, ttl=60)
    filled(named, "forever", fill)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    filled(named, "trips", fill, ttl=3600)
    assert fill.calls == 3
    assert named("forever", fill).complete
    filled(named, "forever", fill, ttl=60)
    assert fill.calls == 4


def test_what_was_made_in_the_future_is_too_old(named, monkeypatch):
    fill = Fill()
    filled(named, "trips", fill, ttl=60)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 1_000_000)
    filled(named, "trips", fill, ttl=60)
    assert fill.calls == 2


@pytest.mark.parametrize("ttl", [-1, float("nan"), float("-inf"), dt.timedelta(-1)])
def test_a_life_is_not_negative(named, ttl):
    with pytest.raises(ValueError, match="ttl"):
        named("trips", Fill(), ttl=ttl)


@pytest.mark.parametrize("ttl", ["12h", True])
def test_a_life_is_a_number(named, ttl):
    with pytest.raises(TypeError, match="ttl"):
        named("trips", Fill(), ttl=ttl)


def test_what_is_filled_anew_leaves_old_readers_theirs(named):
    filled(named, "trips", Fill(3), key="old")
    old = named("trips", Fill(3), key="old")
    reader = old.reader()
    next(reader)
    new = named("trips", Fill(7), key="new")
    new.ingest_all()
    assert pa.table(new).equals(expected(7))
    assert [batch.num_rows for batch in reader] == [100, 100]
    assert pa.table(old).equals(expected(3))


def test_what_nobody_uses_any_more_is_removed(named):
    home = named.directory / "trips"
    filled(named, "trips", Fill(), key="1")
    old = named("trips", Fill(), key="1")
    filled(named, "trips", Fill(), key="2")
    assert inside(home) == ["00000001", "00000002", "lock"]
    old.close()
    filled(named, "trips", Fill(), key="3")
    assert inside(home) == ["00000002", "00000003", "lock"]
    named("trips", pytest.fail, key="3").close()
    assert inside(home) == ["00000003", "lock"]


def test_a_fill_that_raises_changes_nothing(named):
    def fail():
        raise SourceBrokeError("no connection")

    with pytest.raises(SourceBrokeError, match="no connection"):
        named("trips", fail)
    assert respool.ls(named.directory) == []
    fill = Fill()
    filled(named, "trips", fill, key="old")
    for bad, error in ((fail, SourceBrokeError), (lambda: 1, TypeError)):
        with pytest.raises(error):
            named("trips", bad, key="new")
    assert pa.table(named("trips", fill, key="old")).equals(expected(5))
    assert fill.calls == 1


def test_a_source_that_fails_is_asked_again_at_the_next_call(named):
    cache = named("trips", lambda: Source(fail_at=2), schema=SCHEMA)
    with pytest.raises(SourceBrokeError, match="no batch 2"):
        cache.ingest_all()
    (one,) = respool.ls(named.directory)
    assert (one.state, one.batches) == ("failed", 2)
    assert "no batch 2" in one.failure
    fill = Fill()
    assert pa.table(named("trips", fill)).equals(expected(5))
    assert fill.calls == 1
    assert pa.table(cache.prefix()).equals(expected(2))


def test_a_source_in_place_of_a_callable_is_refused(named):
    with pytest.raises(TypeError, match="callable"):
        named("trips", Source().reader())
    assert not named.directory.exists()


def test_a_fill_that_asks_for_itself_is_told_so(named):
    def fill():
        return named("trips", Fill())

    with pytest.raises(RuntimeError, match="'trips'"):
        named("trips", fill)
    assert pa.table(named("trips", Fill())).equals(expected(5))


def test_a_fill_that_removes_itself_is_told_so(named):
    def fill():
        respool.rm("trips", named.directory)

    with processes.no_hang(10), pytest.raises(RuntimeError, match="'trips'"):
        named("trips", fill)


def test_what_a_fill_has_begun_may_ask_for_its_name_later(named):
    contexts = []

    def fill():
        contexts.append(contextvars.copy_context())
        return Source().reader()

    filled(named, "trips", fill)
    again = contexts[0].run(named, "trips", Fill(), key="later")
    assert pa.table(again).equals(expected(5))


def test_a_fill_may_ask_for_others(named):
    def fill():
        return named("raw", Fill()).filter([("n", "<", 150)])

    filled(named, "small", fill)
    assert named("small", fill).num_rows == 150
    assert [one.name for one in respool.ls(named.directory)] == ["raw", "small"]


def test_options_are_those_of_a_cache(named):
    fill = Fill(10)
    options = {"coalesce_rows": 250, "compression": "zstd", "memory": "1 MiB"}
    filled(named, "trips", fill, metadata={"by": "me"}, **options)
    cache = named("trips", fill, memory="2 MiB")
    assert cache.num_batches < 10
    assert cache.metrics()["memory_capacity"] == 2 << 20
    assert cache.metadata == {"by": "me"}

    def batches():
        return Source(2)

    filled(named, "iterable", batches, schema=SCHEMA)
    assert named("iterable", batches).num_rows == 200


def test_ls_tells_what_is_there(named):
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    assert respool.ls(named.directory) == []
    filled(named, "b", Fill(3), ttl=60, metadata={"by": "me"})
    growing = named("a", Fill(), key=("EU", 2026))
    next(growing.reader())
    named("c", Fill()).close()
    a, b, c = respool.ls(named.directory)
    assert [one.name for one in (a, b, c)] == ["a", "b", "c"]
    assert [one.state for one in (a, b, c)] == ["growing", "complete", "abandoned"]
    assert [(one.rows, one.batches) for one in (a, b, c)] == [(100, 1), (300, 3), (0, 0)]
    assert [one.key for one in (a, b, c)] == [("EU", 2026), None, None]
    assert b.metadata == {"by": "me"}
    assert b.expires - b.created == dt.timedelta(seconds=60)
    assert (a.expires, c.expires) == (None, None)
    for one in (a, b, c):
        assert before <= one.created <= dt.datetime.now(dt.UTC)
        assert before <= one.used <= dt.datetime.now(dt.UTC)
        files = [path for path in one.path.rglob("*") if path.is_file()]
        assert one.nbytes == sum(path.stat().st_size for path in files) > 0
    assert respool.open(b.path).num_rows == 300


def test_a_damaged_log_is_listed_and_filled_anew(named):
    fill = Fill()
    filled(named, "trips", fill)
    (one,) = respool.ls(named.directory)
    manifest = one.path / "_manifest"
    content = bytearray(manifest.read_bytes())
    content[70] ^= 0xFF
    manifest.write_bytes(content)
    (one,) = respool.ls(named.directory)
    assert (one.state, one.rows) == ("unreadable", 0)
    assert pa.table(named("trips", fill)).equals(expected(5))
    assert fill.calls == 2


FILLS_AND_CLOSES = """
import sys
import processes
import respool
from sources import SCHEMA, Source

filling = respool.named("trips", lambda: Source(5), schema=SCHEMA, directory=sys.argv[1])
next(filling.reader())
print("begun", flush=True)
sys.stdin.readline()
filling.close()
"""


def test_a_follower_of_a_cache_that_was_closed_is_told(named):
    # From a child: the process that fills a log is to read its own cache.
    child = processes.start(FILLS_AND_CLOSES, named.directory, stdin=subprocess.PIPE)
    with processes.killed_at_the_end(child):
        processes.wait_for_line(child, "begun")
        follower = respool.open(respool.ls(named.directory)[0].path)
        assert next(iter(follower)).num_rows
        child.communicate("\n")
    with pytest.raises(IncompleteStreamError):
        list(follower)
    assert pa.table(follower.prefix()).equals(expected(1))
