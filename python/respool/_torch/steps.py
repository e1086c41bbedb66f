"""The steps of one epoch, one after the other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from respool import _fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Steps"]


class Steps:
    """Gives every so many steps of an epoch, and knows which is next.

    A generator would do but for errors: it ends with one, and whoever asks it again takes that for the end of the
    epoch.
    """

    def __init__(
        self,
        begin: Callable[[int], Iterator[Any]],
        tensors: Callable[[Any], dict[str, Any]],
        epoch: int,
        first: int,
        end: int | None,
        every: int,
    ) -> None:
        self.epoch = epoch
        # The next step to be made; under the lock.
        self._at = first
        self._end = end
        self._every = every
        self._begin = begin
        self._made: Iterator[Any] | None = begin(first)
        self._is_over = False
        self._has_ended = False
        self._tensors = tensors
        # A step that could not be made tensors of comes again, or it would be missing.
        self._pending: Any = None
        # Steps that were counted, and that Ctrl-C kept from whoever asked.
        self._returned: list[dict[str, Any]] = []
        # One thread may come twice: a source that asks for a step of its own is told so further in.
        self._turn = threading.RLock()
        _THERE.add(self)

    @property
    def next(self) -> int:
        """The step that comes next: those before it were given."""
        return self._at - self._every * len(self._returned)

    @property
    def has_ended(self) -> bool:
        """Whether it has given the last step of the epoch."""
        is_made = self._has_ended or (self._end is not None and self._at >= self._end)
        return is_made and not self._returned

    def end(self) -> None:
        """Give no step any more: another iteration begins."""
        self._is_over = True

    def __iter__(self) -> Steps:
        """Return itself."""
        return self

    def __next__(self) -> dict[str, Any]:
        """Return the next step. It counts when it is handed out, to one of the threads that ask.

        Ctrl-C comes where something is called and nowhere else: what stands together without a call is done together.
        """
        tensors = None
        try:
            with self._turn:
                if self._returned and not self._is_over:
                    tensors = self._returned[-1]
                    del self._returned[-1]
                else:
                    try:
                        tensors = self._given()
                    except Exception:
                        raise
                    except BaseException:
                        # It may have taken a step that was on its way, which the next call would leave out.
                        self._made = self._pending = None
                        raise
                    self._at += self._every
        except BaseException:
            if tensors is not None:
                # Other threads may have gone on, so it is not made again but kept for who asks next.
                self._returned.append(tensors)
            raise
        return tensors

    def _given(self) -> dict[str, Any]:
        if self._end is not None and self._at >= self._end and not self._returned:
            raise StopIteration
        if self._is_over:
            raise RuntimeError("this iteration has ended: another one came after it")
        try:
            if self._pending is None:
                self._pending = self._next()
            tensors = self._tensors(self._pending)
        except ValueError as error:
            if "null" in str(error):
                error.add_note("Of nulls: null_value={...} says what stands for those of a column.")
            raise
        self._pending = None
        return tensors

    def _next(self) -> Any:  # noqa: ANN401 - a step as it was made
        try:
            if self._made is None:
                self._made = self._begin(self._at)
            return next(self._made)
        except StopIteration:
            self._has_ended = True
            raise


_THERE: WeakSet[Steps] = WeakSet()


def _forget() -> None:
    """Wait for nobody in a forked child: a thread of its parent may have its turn."""
    for steps in list(_THERE):
        steps._turn = threading.RLock()  # noqa: SLF001


_fork.in_child(_forget)
