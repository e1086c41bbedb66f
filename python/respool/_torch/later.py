"""A view that a worker opens where it reads, and not where it is unpickled."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from respool import StreamCacheView

__all__ = ["Later"]


class Later:
    """Gives a view. It pickles as the view does, and what was unpickled opens the log at the first call.

    A worker that can't unpickle its dataset ends, and the loop only hears of an exit code. What the dataset raises
    when it is read is handed to the loop.
    """

    def __init__(self, view: StreamCacheView | None, pickled: bytes = b"") -> None:
        self._view = view
        self._pickled = pickled

    def __call__(self) -> StreamCacheView:
        """Return the view.

        Raises
        ------
        FileNotFoundError
            If there is no log there any more, or another one.
        """
        if self._view is None:
            self._view = pickle.loads(self._pickled)  # noqa: S301 - it came with what is unpickled already
        return self._view

    def __reduce__(self) -> tuple[Callable[..., Later], tuple[None, bytes]]:
        """Pickle the view by itself, or what it was unpickled from."""
        pickled = self._pickled if self._view is None else pickle.dumps(self._view)
        return type(self), (None, pickled)
