"""Epochs: what is easier said in Python than in the native module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from respool import _native
from respool._native import Epochs, StreamCacheView
from respool._numbers import from_on
from respool._views import checked, narrowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from respool.typing import PathLike

__all__ = ["arrays", "epochs", "restored"]


def epochs(
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
) -> Epochs:
    """Read a cache in epochs: in steps of the same size, in another order each time, for training.

    Every epoch has one global order, which depends on which log it is, ``seed`` and the number of the epoch, and not
    on how many ranks read it. So a place in an epoch is a small dict (:meth:`Epochs.state_dict`), which any number of
    ranks can go on from exactly. Rows are copied together natively, by a thread that reads ahead, into memory
    that belongs to whoever gets them.

    Parameters
    ----------
    source
        A cache or a view of which everything is stored, or the path of a log that is kept. Of a filtered view the
        rows are counted once, here; a slice of a filtered view is refused.
    batch_size
        Rows of a step, of all ranks together: a multiple of ``world_size``. A step that memory can't hold is a
        ``MemoryError`` when it is asked for.
    seed
        A number from 0 to 2**64 - 1: one order of every epoch for each.
    shuffle
        ``"window"``: batches, and rows within windows of ``window`` batches. ``"batches"``: batches only. None: the
        order of the source.
    window
        How many batches are read at a time, and their rows shuffled together. If None, as many as have about
        262,144 rows, and 16 at least.
    rank, world_size
        Which part of each step, and of how many: ``batch_size / world_size`` rows that lie one after the other. If
        None, all of it. All ranks have to read the same log, or copies of its files: logs of their own, though of
        the same rows, have orders of their own.
    tail
        Rows at the end that fill no step: ``"drop"`` leaves them out, ``"pad"`` fills the step up with rows
        from the beginning of the epoch. With ``"drop"`` there is no step where there are fewer rows than
        ``batch_size``.
    columns
        Names or numbers of the columns wanted; all if None. They have no part in the order.
    prefetch
        How many steps are made ahead; 0 makes each when it is asked for, without a thread.
    follow
        Epoch 0 is in the order of the source, which may still be read: it begins with the first rows. From epoch 1 on
        the order is as ``shuffle`` says. As every rank has to read the same order, epoch 0 is so also where the
        source has come to its end.

    Returns
    -------
    Epochs

    Raises
    ------
    ValueError
        If not everything is stored and ``follow`` is not given, readers use batches up (``max_readers``), or a number
        makes no sense.
    TypeError
        If the source is neither a cache or view nor a path, or an argument of another kind than it says.

    Examples
    --------
    >>> import pyarrow as pa, respool
    >>> cache = respool.StreamCache(pa.table({"x": list(range(8))}))
    >>> cache.ingest_all()
    1
    >>> ranks = [respool.epochs(cache, batch_size=4, rank=r, world_size=2) for r in (0, 1)]
    >>> sorted(x for rank in ranks for batch in rank for x in batch["x"].to_pylist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    if (rank is None) != (world_size is None):
        raise ValueError("rank and world_size are given together or not at all")
    # The native module says of none what it is a number of.
    batch_size = from_on(batch_size, 1, "batch_size is a number of rows")
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"seed is a number from 0 to 2**64 - 1, not {seed!r}")
    window = None if window is None else from_on(window, 1, "window is a number of batches")
    rank = 0 if rank is None else from_on(rank, 0, "rank is a number")
    world_size = 1 if world_size is None else from_on(world_size, 1, "world_size is a number")
    prefetch = from_on(prefetch, 0, "prefetch is a number of steps")
    # Of texts the native module says which there are; True and False are what others take.
    if not isinstance(shuffle, str | None):
        raise TypeError(f'shuffle is "window", "batches" or None, not {shuffle!r}')
    if not isinstance(tail, str):
        raise TypeError(f'tail is "drop" or "pad", not {tail!r}')
    if not isinstance(source, (StreamCacheView, str, bytes, os.PathLike)):
        checked(source, "epochs(), where it is not given the path of a log,")
    is_ours = not isinstance(source, StreamCacheView)
    view = source if isinstance(source, StreamCacheView) else _native.open(source)
    try:
        return Epochs(
            narrowed(view, columns),
            batch_size=batch_size,
            seed=seed,
            shuffle=shuffle,
            window=window,
            rank=rank,
            world_size=world_size,
            tail=tail,
            prefetch=prefetch,
            follow=follow,
            owns=is_ours,
        )
    except BaseException:
        if is_ours:
            view.cache.close()
        raise


def arrays(epochs: Epochs) -> Iterator[dict[str, np.ndarray]]:
    """Iterate over the steps as dicts of arrays, each in memory of its own step."""
    try:
        import numpy as np  # noqa: PLC0415 - neither respool nor pyarrow brings it along
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"arrays() needs NumPy, which can't be imported ({error}): pip install numpy; to iterate over the epochs "
            "gives record batches without it",
            name=error.name,
            path=error.path,
        ) from None

    columns = [(name, np.dtype(kind), shape) for name, kind, shape in epochs._columns]  # noqa: SLF001

    def shown(memory: object, rows: int, starts: list[int]) -> dict[str, np.ndarray]:
        of_step = np.asarray(memory)
        return {
            name: np.ndarray((rows, *shape), kind, of_step, start)
            for (name, kind, shape), start in zip(columns, starts, strict=True)
        }

    # Called before a step counts: Ctrl-C in it would leave out one that nobody had.
    return epochs._memory(shown)  # noqa: SLF001


def restored(view: StreamCacheView, options: dict[str, Any], state: dict[str, Any]) -> Epochs:
    """Make epochs that were pickled."""
    epochs = Epochs(view, **options)
    epochs.load_state_dict(state)
    return epochs
