"""A source that fails: its good batches and then its error, in every read, for ever."""

import errno
import gc
import traceback
import weakref

import pyarrow as pa
import pytest

import processes
import respool
from consumers import ALL
from cstream import CStream
from processes import in_threads
from respool.exceptions import IncompleteStreamError
from sources import SCHEMA, Source, SourceBrokeError, batch, expected


@pytest.mark.parametrize("consumer", ALL)
@pytest.mark.parametrize("good", [0, 1, 4])
def test_every_read_ends_in_the_error(make, consumer, good):
    source = Source(5, fail_at=good)
    cache = make(source)
    for _ in range(3):
        with pytest.raises(Exception, match=f"no batch {good}"):
            ALL[consumer](cache)
    assert source.pulls == good + 1
    assert not cache.complete
    assert not cache.upstream_exhausted
    assert cache.ingested_count == good


@pytest.mark.parametrize("good", [0, 1, 4])
def test_the_good_batches_come_before_the_error(make, good):
    cache = make(Source(5, fail_at=good))
    for _ in range(3):
        reader = cache.reader()
        assert [next(reader) for _ in range(good)] == [batch(i) for i in range(good)]
        for _ in range(2):
            with pytest.raises(ValueError, match=f"no batch {good}"):
                next(reader)
    stream = pa.RecordBatchReader.from_stream(cache)
    assert [stream.read_next_batch() for _ in range(good)] == [batch(i) for i in range(good)]
    with pytest.raises(Exception, match=f"no batch {good}"):
        stream.read_next_batch()


@pytest.mark.parametrize(
    "mixed", [("duckdb", "iteration"), ("polars", "pyarrow"), ("arro3", "duckdb")]
)
def test_the_error_is_the_same_whoever_met_it_first(make, mixed):
    cache = make(Source(5, fail_at=2))
    for consumer in mixed * 2:
        with pytest.raises(Exception, match="no batch 2"):
            ALL[consumer](cache)


def test_the_exception_of_an_iterable_comes_back_as_itself(make_from_iterable):
    source = Source(5, fail_at=3)
    cache = make_from_iterable(source)
    for use in (
        cache.ingest_all,
        lambda: list(cache),
        lambda: list(cache.reader()),
        cache.to_pyarrow,
    ):
        with pytest.raises(SourceBrokeError) as caught:
            use()
        assert caught.value.args == source.error.args
        # Who met it gets the exception itself, later readers a copy.
        assert (caught.value is source.error) == (use == cache.ingest_all)
    assert (type(cache.error), cache.error.args) == (SourceBrokeError, source.error.args)
    assert source.pulls == 4


@pytest.mark.parametrize("consumer", ["pyarrow", "duckdb", "polars"])
def test_engines_get_type_and_text_of_an_iterables_exception(make_from_iterable, consumer):
    cache = make_from_iterable(Source(5, fail_at=3))
    for _ in range(2):
        with pytest.raises(Exception, match="SourceBrokeError: no batch 3"):
            ALL[consumer](cache)


@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), SystemExit(3), GeneratorExit("gone")])
def test_what_ends_a_program_is_raised_once_and_told_afterwards(make_from_iterable, error):
    cache = make_from_iterable(Source(5, fail_at=2, error=error))
    with pytest.raises(type(error)) as caught:
        list(cache)
    assert caught.value is error
    for use in (lambda: list(cache), cache.ingest_all, cache.to_arrow):
        with pytest.raises(IncompleteStreamError, match="after 2 batches") as told:
            use()
        assert (type(told.value.__cause__), told.value.__cause__.args) == (type(error), error.args)
    for consumer in ("pyarrow", "duckdb", "polars"):
        with pytest.raises(Exception, match="IncompleteStreamError: the source was interrupted"):
            ALL[consumer](cache)
    assert (type(cache.error), cache.error.args) == (type(error), error.args)
    assert not cache.complete
    assert pa.table(cache.prefix()).equals(expected(2))


def test_it_is_told_to_who_did_not_pull_and_raised_where_it_happened(make_from_iterable):
    error = KeyboardInterrupt("stop")
    source = Source(5, stall_at=2, fail_at=2, error=error)
    cache = make_from_iterable(source)

    def late():
        assert source.stalling.wait(10)
        source.released.set()
        return list(cache)

    raised, told = in_threads(lambda: list(cache), late)
    assert raised is error
    assert isinstance(told, IncompleteStreamError)


def test_a_keyboard_interrupt_inside_a_pyarrow_reader_stays_one(make):
    cache = make(Source(5, fail_at=2, error=KeyboardInterrupt("stop")))
    with pytest.raises(KeyboardInterrupt):
        cache.ingest_all()
    for _ in range(2):
        with pytest.raises(IncompleteStreamError) as told:
            cache.ingest_all()
        assert isinstance(told.value.__cause__, KeyboardInterrupt)
    assert not cache.upstream_exhausted


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EINVAL, ValueError),
        (errno.EIO, OSError),
        (errno.ENOMEM, MemoryError),
        (errno.ENOSYS, NotImplementedError),
    ],
)
def test_errnos_become_the_exceptions_they_mean(make, number, kind):
    stream = CStream(2, number, b"the wheel fell off")
    cache = make(stream)
    for _ in range(3):
        with pytest.raises(kind, match="the wheel fell off") as caught:
            cache.ingest_all()
        if kind is OSError:
            assert caught.value.errno == number
    assert stream.pulls == 3
    assert pa.table(cache.prefix()).equals(expected(2))


def test_an_error_without_text_is_an_error(make):
    cache = make(CStream(2, errno.EIO))
    for _ in range(2):
        with pytest.raises(OSError, match=r"."):
            pa.table(cache)


def test_a_nul_in_the_text_of_an_error_harms_nobody(make_from_iterable):
    cache = make_from_iterable(Source(5, fail_at=1, error=ValueError("a\0b")))
    for consumer in ("pyarrow", "duckdb", "polars", "arro3"):
        with pytest.raises(Exception, match="ValueError"):
            ALL[consumer](cache)


def test_the_source_is_let_go_after_its_error(make):
    stream = CStream(1, errno.EIO, b"gone")
    cache = make(stream)
    with pytest.raises(OSError, match="gone"):
        cache.ingest_all()
    assert stream.released == 1
    with pytest.raises(OSError, match="gone"):
        cache.ingest_all()


def test_a_generator_that_reads_its_own_cache_gets_an_error(make_from_iterable):
    def source():
        yield batch(0)
        list(cache)
        yield batch(1)

    cache = make_from_iterable(source())
    with pytest.raises((RuntimeError, ValueError)):
        cache.ingest_all()


OWN_READER = """
import sys
import pyarrow as pa, respool
from processes import no_hang
from sources import SCHEMA, batch

def source():
    yield batch(0)
    uses[sys.argv[1]]()
    yield batch(1)

cache = respool.cache(source(), schema=SCHEMA)
reader = cache.reader()
uses = {
    "next": lambda: next(reader),
    "stream": lambda: list(pa.RecordBatchReader.from_stream(reader)),
    "another": lambda: next(cache.reader(from_start=False)),
    "number": lambda: cache.batch(1),
}
with no_hang(10):
    try:
        list(reader)
    except (RuntimeError, ValueError) as error:
        print(type(error).__name__)
assert not cache.complete
"""


@pytest.mark.parametrize("use", ["next", "stream", "another", "number"])
def test_a_generator_that_reads_the_reader_that_pulls_it_gets_an_error(use):
    assert processes.run(OWN_READER, use).strip() in {"RuntimeError", "ValueError"}


class OddError(Exception):
    """Can't be made from its args."""

    def __init__(self, one, other):
        super().__init__(f"{one} {other}")
        self.one = one


def frames_of(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize(
    "error", [SourceBrokeError("broke"), OSError(5, "io", "a file"), OddError(1, 2)]
)
def test_each_reader_sees_the_sources_frames_and_its_own(error):
    def failing():
        yield batch(0)
        deep()

    def deep():
        raise error

    cache = respool.cache(failing(), schema=SCHEMA)

    def reading():
        return list(cache)

    def asking():
        return cache.to_arrow()

    for read in (reading, asking, reading):
        with pytest.raises(type(error)) as caught:
            read()
        frames = frames_of(caught.value)
        assert frames[-2:] == ["failing", "deep"]
        assert [frame for frame in frames if frame in {"reading", "asking"}] == [read.__name__]
        assert vars(caught.value) == vars(error)
        assert str(caught.value) == str(error)


class Failing:
    def __init__(self):
        self.batches = iter([batch(0)])

    def __iter__(self):
        return self

    def __next__(self):
        for one in self.batches:
            return one
        raise SourceBrokeError


def failing():
    yield batch(0)
    raise SourceBrokeError


@pytest.mark.parametrize("source", [failing, Failing])
def test_a_failed_cache_keeps_nothing_of_later_readers(source):
    cache = respool.cache(source(), schema=SCHEMA)
    held = []

    def read():
        class Local:
            pass

        local = Local()
        held.append(weakref.ref(local))
        cache.to_arrow()

    for _ in range(5):
        with pytest.raises(SourceBrokeError):
            read()
    gc.collect()
    # The frame in which the source failed is in its traceback, and Python links it to the one that asked first.
    assert [reference() for reference in held[1:]] == [None] * 4


def test_a_value_that_is_no_text_is_told_as_far_as_it_is():
    column = pa.StringArray.from_buffers(
        1, pa.py_buffer(b"\0\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")
    )
    cache = respool.cache(pa.record_batch([column], ["s"]))
    numbers = cache.cast(pa.schema({"s": pa.int64()}))
    for read in (list, pa.table, lambda view: view.head(1)):
        with pytest.raises(ValueError, match="cannot cast column"):
            read(numbers)


def test_a_swallowed_interrupt_is_raised_where_reading_begins_anew():
    def interrupted():
        yield batch(0)
        raise KeyboardInterrupt

    cache = respool.cache(interrupted(), schema=SCHEMA)
    cleaned = []

    class Guard:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            cleaned.append(True)

    with pytest.raises(OSError, match="KeyboardInterrupt"), Guard():
        pa.table(cache)
    assert cleaned == [True]
    with pytest.raises(KeyboardInterrupt):
        pa.table(cache.prefix())
    assert pa.table(cache.prefix()).equals(expected(1))
