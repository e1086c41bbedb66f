"""PyTorch's door: epochs of a cache as dicts of tensors, one for each step.

A step comes as a whole, so a ``DataLoader`` has nothing to collate: it is given ``batch_size=None``. Rows are
gathered by threads of respool's own, ahead of the training loop. So ``num_workers=0`` is the fast way: workers only
pay where what is done to each step afterwards takes a processor of its own.

Examples
--------
>>> import pyarrow as pa, respool, respool.torch
>>> from torch.utils.data import DataLoader
>>> cache = respool.cache(pa.table({"x": [0.5, 1.5, 2.5, 3.5]}).to_reader())
>>> _ = cache.ingest_all()
>>> epochs = respool.torch.EpochDataset(cache, batch_size=2, shuffle=None)
>>> for step in DataLoader(epochs, batch_size=None):
...     print(step["x"])
tensor([0.5000, 1.5000], dtype=torch.float64)
tensor([2.5000, 3.5000], dtype=torch.float64)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from respool._extras import missing

try:
    import numpy  # noqa: F401, ICN001 - what makes tensors needs it, and says nothing of the extra
    import torch
    from torch.utils.data import IterableDataset
except ImportError as error:
    raise missing("torch", error) from None

import respool
from respool._columns import Columns
from respool._numbers import from_on
from respool._torch import place, tensors
from respool._torch.later import Later
from respool._torch.pages import pages
from respool._torch.steps import Steps
from respool._views import narrowed, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from respool import StreamCacheView
    from respool.typing import PathLike

__all__ = ["EpochDataset"]

_EPOCH, _START, _HAS_WORKERS = range(3)
"""What lies where in the memory that workers share."""

_WORKER = "worker"
"""What a state has more that was saved by a worker, for a StatefulDataLoader."""


class EpochDataset(IterableDataset[dict[str, Any]]):  # type: ignore[misc, unused-ignore]
    """The steps of an epoch, those of this rank, as dicts of tensors by the names of the columns.

    The order of the rows is that of :func:`respool.epochs`: one for each seed and epoch, whatever the number of
    ranks and workers. Call :meth:`set_epoch` before each epoch, or each is like the one before.

    Parameters
    ----------
    source
        A cache or a view of one, or the directory of a log. Workers open the log themselves, by its path; so they
        need a cache that was made with ``path=`` or is named.
    batch_size
        Rows of a step, of all ranks together: a multiple of their number.
    seed, shuffle, window, tail, prefetch, follow
        As for :func:`respool.epochs`.
    rank, world_size
        Which part of each step is read here, and how many parts there are. If None, as ``torch.distributed`` says
        at the first use, or all of it, where that was not initialised. All ranks have to read the same log, or
        copies of its files.
    columns
        The columns that are read, by name or number; all if None.
    null_value
        What stands for a null, by the name of the column. Without it a null is an error.
    objects
        True: columns that no tensor can hold come as lists of Python objects. False: they are refused.
    pin_memory
        True: tensors lie in pinned memory, where there is an accelerator. Not in workers, which can't have
        such memory: ask their ``DataLoader`` for it.
    zero_copy
        True: tensors share the pages of the log, where a step lies in one batch. Only with ``shuffle=None``. **These
        pages are read-only: a write, such as ``tensor.add_(1)``, kills the process**, and PyTorch knows nothing of
        it. See below.

    Raises
    ------
    TypeError
        If a column has a type that no tensor can hold, and ``objects`` is not set.
    ValueError
        If an option is none, or a null value is none of its column's type.
    RuntimeError
        At the first use, if torchrun started several processes, and there is no process group: all would read
        the same rows.

    Notes
    -----
    What the columns become:

    ============================================ =======================================================
    ``int8`` to ``int64``, ``uint8``, ``bool``,  tensors of the same type
    ``float16`` to ``float64``
    ``uint16``, ``uint32``                       ``int32``, ``int64``: PyTorch can do hardly anything with the
                                                 unsigned ones
    ``uint64``                                   ``torch.uint64``
    dates, times, timestamps, durations          the integers as which Arrow keeps them, in the column's unit:
                                                 ``int32`` for ``date32`` and ``time32``, else ``int64``
    lists of a fixed size, fixed-shape tensors   one more dimension for each
    dictionaries                                 what their values become
    decimals, text, binaries, all else           refused, and lists of Python objects with ``objects=True``
    ============================================ =======================================================

    Where a column of numbers has a null, the step that has it raises ``ValueError`` with the column's name, unless
    ``null_value`` says what stands for it.

    Tensors have memory of their own unless ``zero_copy`` is set. Then a step that lies in one batch of the log is
    pointers into its map, and a training loop that only reads saves a copy. Steps that lie in two batches,
    bits, unsigned numbers of 16 and 32 bits, dictionaries and columns with nulls are copied nevertheless. The map
    is shared with everybody who reads the log, so it is never made writable.

    Workers (``num_workers``) take turns: worker w of n has the steps w, w + n, w + 2n and so on of this rank. A
    ``DataLoader`` asks them in turn, so that the order is the one without workers. They may be forked, spawned or
    come from a server, and persist: :meth:`set_epoch` and :meth:`load_state_dict` reach them before each epoch.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa, respool, respool.torch
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = directory + "/log"
    ...     with respool.cache(pa.table({"n": range(1000)}).to_reader(100), path=path) as cache:
    ...         _ = cache.ingest_all()
    ...     epochs = respool.torch.EpochDataset(path, batch_size=100)
    ...     for epoch in range(2):
    ...         epochs.set_epoch(epoch)
    ...         print(len(epochs), sum(int(step["n"].sum()) for step in epochs))
    10 499500
    10 499500
    >>> epochs.schema.names, epochs.epoch, epochs.steps_done
    (['n'], 1, 10)
    """

    def __init__(
        self,
        source: StreamCacheView | PathLike,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: Literal["window", "batches"] | None = "window",
        window: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        tail: Literal["drop", "pad"] = "drop",
        columns: Sequence[str | int] | None = None,
        prefetch: int = 2,
        follow: bool = False,
        null_value: Mapping[str, object] | None = None,
        objects: bool = False,
        pin_memory: bool = False,
        zero_copy: bool = False,
    ) -> None:
        super().__init__()
        if zero_copy and shuffle is not None:
            raise ValueError(
                "zero_copy=True shares pages as they lie in the log: it needs shuffle=None"
            )
        if (rank is None) != (world_size is None):
            raise ValueError("rank and world_size are given together, or neither of them")
        view = (
            respool.open(source)
            if isinstance(source, str | bytes | os.PathLike)
            else opened(source, "EpochDataset")
        )
        self._opened = Later(narrowed(view, columns))
        self._has_path = view.cache.path is not None
        if zero_copy and view._is_filtered:  # noqa: SLF001
            raise ValueError(
                "zero_copy=True shares pages as they lie in the log: it needs a view without a filter"
            )
        self._columns = Columns(self._view.schema, null_value, objects=objects)
        self._options: dict[str, Any] = {
            "batch_size": batch_size,
            "seed": seed,
            "shuffle": shuffle,
            "window": window,
            "tail": tail,
            "prefetch": prefetch,
            "follow": follow,
        }
        self._given = rank, world_size
        self._pin_memory = pin_memory
        self._zero_copy = zero_copy
        self._epochs_of: dict[tuple[int, int], respool.Epochs] = {}
        self._going: Steps | None = None
        self._last: Steps | None = None
        self._resumed: dict[str, int] | None = None
        # Where the next iteration begins. Workers look at it as they begin, those that persist too.
        self._shared = torch.zeros(3, dtype=torch.int64).share_memory_()
        # What is wrong with the options is said here and not by a worker.
        self._epochs()

    @property
    def schema(self) -> pa.Schema:
        """The columns, as the cache has them."""
        return self._view.schema

    @property
    def epoch(self) -> int:
        """The number of the epoch."""
        return int(self._shared[_EPOCH])

    @property
    def steps_done(self) -> int:
        """Steps of the epoch that were given, here or before a state was saved.

        What workers give is not counted: the training loop knows how much of that it had.
        """
        return int(self._shared[_START]) if self._going is None else self._going.next

    def __len__(self) -> int:
        """Return the number of steps of an epoch, which is the same on all ranks."""
        return len(self._epochs())

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next: each has an order of its own.

        Parameters
        ----------
        epoch
            Its number, from 0 on. A place in this epoch that was loaded is kept, one in another is forgotten.

        Raises
        ------
        TypeError, ValueError
            If it is no such number.

        Examples
        --------
        >>> import pyarrow as pa, respool, respool.torch
        >>> cache = respool.cache(pa.table({"n": range(100)}).to_reader())
        >>> _ = cache.ingest_all()
        >>> epochs = respool.torch.EpochDataset(cache, batch_size=10)
        >>> first = [step["n"].tolist() for step in epochs]
        >>> epochs.set_epoch(1)
        >>> first == [step["n"].tolist() for step in epochs]
        False
        """
        epoch = _checked(epoch)
        if epoch != self.epoch:
            self._begin_at(epoch, 0)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Begin the epoch at its first step, or where a state that was loaded says.

        One iteration goes on at a time: it ends the one before.
        """
        turn = place.turn()
        if turn is None and self._going is not None and self._going.has_ended:
            # What lay before a place that was loaded is missing from one epoch, and not from those after it.
            self._shared[_START] = 0
        if turn is not None and not self._has_path:
            raise RuntimeError(
                "workers open the log by its path, and this cache has no path: keep it on disk, "
                "respool.cache(source, path=...), or read without workers, num_workers=0"
            )
        epoch, first = self.epoch, int(self._shared[_START])
        self._shared[_HAS_WORKERS] = turn is not None
        if turn is not None:
            first = turn.first(first)
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            epoch, first = resumed["epoch"], resumed["next"]
        if self._last is not None:
            self._last.end()
        self._last = self._going = self._steps(epoch, first, turn)
        return self._going

    def state_dict(self, steps: int | None = None) -> dict[str, Any]:
        """Return the place in the epoch, which is the same on all ranks, to be saved with the model.

        Parameters
        ----------
        steps
            Steps of the epoch that the training loop has had, those before a resume too; None: those that this
            object gave. With workers only the training loop can know, as they are ahead of it.

        Returns
        -------
        dict
            A few numbers and texts, whatever the size of the data. :func:`respool.epochs` takes and gives the same.

        Raises
        ------
        RuntimeError
            If workers give the steps, and ``steps`` is None.
        TypeError, ValueError
            If it is no number of steps, or the epoch has fewer.

        Examples
        --------
        >>> import pyarrow as pa, respool, respool.torch
        >>> cache = respool.cache(pa.table({"n": range(100)}).to_reader())
        >>> _ = cache.ingest_all()
        >>> epochs = respool.torch.EpochDataset(cache, batch_size=10)
        >>> steps = iter(epochs)
        >>> had = [next(steps)["n"] for _ in range(3)]
        >>> again = respool.torch.EpochDataset(cache, batch_size=10)
        >>> again.load_state_dict(epochs.state_dict())
        >>> had += [step["n"] for step in again]
        >>> sorted(int(n) for numbers in had for n in numbers) == list(range(100))
        True
        """
        turn = place.turn()
        if turn is not None:
            return self._state_of_worker(turn)
        if steps is None:
            if self._shared[_HAS_WORKERS]:
                raise RuntimeError(
                    "workers give the steps, ahead of the training loop, which alone knows how many it has had: "
                    "state_dict(steps=...), or torchdata's StatefulDataLoader"
                )
            steps = self.steps_done
        steps = from_on(steps, 0, "steps is a number")
        rows = self._epochs().num_rows
        if rows is not None and steps > len(self):
            raise ValueError(f"an epoch has {len(self)} steps, and can't have had {steps}")
        return _state(self._epochs(), self.epoch, steps)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Begin where the state says: the next iteration gives what is left of that epoch.

        Ranks and workers may be others, and as many as they like. Each iteration begins there until one has
        come to the end of the epoch, or :meth:`set_epoch` names another. Workers of a plain ``DataLoader`` don't tell
        of the end: with them only ``set_epoch`` does it. The end of an epoch is the beginning of the next, so with that
        nothing changes at it.

        Parameters
        ----------
        state
            What :meth:`state_dict` returned, in any process, or that of :func:`respool.epochs`.

        Raises
        ------
        ValueError
            If it is a place in other data or another order, with what differs.
        TypeError
            If it is no dict.

        Examples
        --------
        >>> import pyarrow as pa, respool, respool.torch
        >>> cache = respool.cache(pa.table({"n": range(100)}).to_reader())
        >>> _ = cache.ingest_all()
        >>> epochs = respool.torch.EpochDataset(cache, batch_size=10)
        >>> epochs.load_state_dict(epochs.state_dict(steps=7))
        >>> epochs.steps_done, len(list(epochs))
        (7, 3)
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"a state is the dict that state_dict() gave, not {type(state).__name__}"
            )
        state = dict(state)
        worker = state.pop(_WORKER, None)
        epochs = self._epochs()
        epochs.load_state_dict(state)
        if worker is None:
            epoch, done = _checked(epochs.epoch), epochs.steps_done
            # torchdata loads a state when a loop begins, so after `set_epoch` has named the next epoch: its beginning
            # is the end of the one before, and to go back to that would leave it out.
            is_end = epochs.num_rows is not None and done == len(epochs)
            if not (is_end and (self.epoch, self.steps_done) == (epoch + 1, 0)):
                self._begin_at(epoch, done)
            return
        turn = place.turn()
        if turn is None or turn.workers != worker["workers"]:
            raise ValueError(
                f"this state is that of one of {worker['workers']} workers: load it by the StatefulDataLoader that "
                "saved it, with as many workers"
            )
        self._resumed = worker

    def __getstate__(self) -> dict[str, Any]:
        # A process that is spawned knows nothing of the process group.
        given = place.ranks(*self._given) or self._given
        return {**self.__dict__, "_given": given, "_epochs_of": {}, "_going": None, "_last": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # Of a copy it is memory of its own, which workers that are forked would not see change.
        self._shared.share_memory_()

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"EpochDataset({options}, epoch={self.epoch})"

    @property
    def _view(self) -> StreamCacheView:
        return self._opened()

    def _begin_at(self, epoch: int, start: int) -> None:
        self._shared[_EPOCH] = epoch
        self._shared[_START] = start
        self._shared[_HAS_WORKERS] = 0
        self._going = None

    def _epochs(self, turn: place.Turn | None = None, first: int = 0) -> respool.Epochs:
        """Return the epochs of this rank, or those of a worker that begins with that step."""
        rank, world_size = place.ranks(*self._given) or (0, 1)
        options = {**self._options, "rank": rank, "world_size": world_size}
        if turn is not None:
            options = turn.options(options, first)
        key = options["rank"], options["world_size"]
        if key not in self._epochs_of:
            self._epochs_of[key] = respool.epochs(self._view, **options)
        return self._epochs_of[key]

    def _steps(self, epoch: int, first: int, turn: place.Turn | None) -> Steps:
        if place.ranks(*self._given) is None and place.is_one_of_many():
            raise RuntimeError(
                "torchrun started this process beside others, and all of them would read the same rows: call "
                "torch.distributed.init_process_group() first, or give rank= and world_size="
            )
        every = 1 if turn is None else turn.workers
        # Of what is followed nobody knows it; without workers it ends by itself.
        end = None if self._epochs().num_rows is None else len(self)
        if turn is not None and end is None:
            raise RuntimeError(
                "a source that is still read can't be followed by workers, which would wait for the loop, and that "
                "for them: num_workers=0"
            )

        def begin(first: int) -> Iterator[Any]:
            if end is not None and first >= end:
                return iter(())
            if self._zero_copy:
                epochs = self._epochs()
                steps = range(first, len(epochs), every)
                return pages(self._view, steps, epochs.batch_size, epochs.rank, epochs.world_size)
            epochs = self._epochs(turn, first)
            done = first if turn is None else turn.rounds(first)
            epochs.load_state_dict(_state(epochs, epoch, done))
            return epochs.arrays() if self._columns.is_plain else iter(epochs)

        return Steps(begin, self._tensors, epoch, first, end, every)

    def _tensors(self, made: Any) -> dict[str, Any]:  # noqa: ANN401
        if self._columns.is_plain and not self._zero_copy:
            step = tensors.of_arrays(made)
        else:
            step = tensors.of_batch(made, self._columns)
        return tensors.pinned(step) if self._pin_memory and _can_pin() else step

    def _state_of_worker(self, turn: place.Turn) -> dict[str, Any]:
        going = self._going
        following = turn.first(int(self._shared[_START])) if going is None else going.next
        epoch = self.epoch if going is None else going.epoch
        worker = {"epoch": epoch, "next": following, "workers": turn.workers}
        return {**_state(self._epochs(), epoch, 0), _WORKER: worker}


def _checked(epoch: int) -> int:
    """Return the number of an epoch, if there can be one; workers are told of it in 64 bits with a sign."""
    number = from_on(epoch, 0, "epoch is a number")
    if number >= 1 << 63:
        raise ValueError(f"epoch is a number from 0 to 2**63 - 1, not {number}")
    return number


def _state(epochs: respool.Epochs, epoch: int, steps: int) -> dict[str, Any]:
    return {**epochs.state_dict(), "epoch": epoch, "rows_done": steps * epochs.batch_size}


def _can_pin() -> bool:
    """Whether there is an accelerator, and this process may use it."""
    return place.turn() is None and torch.accelerator.is_available()
