"""What the doors to engines ask of their first argument."""

from respool._native import StreamCacheView


def checked(given: object, function: str) -> StreamCacheView:
    """Return what was given, if it is a cache or a view of one.

    Raises
    ------
    TypeError
        If it is something else. The message says what to do.
    """
    if isinstance(given, StreamCacheView):
        return given
    kind = type(given)
    raise TypeError(
        f"{function} takes a cache or a view of one, not {kind.__module__}.{kind.__qualname__}: "
        "make a cache of it first, with respool.cache(...)"
    )


def opened(given: object, function: str) -> StreamCacheView:
    """Return what was given, if it is a cache that is open, or a view of one.

    Raises
    ------
    TypeError
        As :func:`checked`.
    ValueError
        If the cache is closed.
    """
    view = checked(given, function)
    if view.cache.closed:
        raise ValueError(
            "the cache is closed: make a new one over a new source, or open its log again where that is kept"
        )
    return view
