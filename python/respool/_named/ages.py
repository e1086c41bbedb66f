"""How old is too old."""

import datetime as dt
import math
import numbers
import time

_FOR_EVER = 1e12
"""Seconds, more than the calendar has; what is longer has no end."""


def seconds(span: float | dt.timedelta | None, what: str) -> float | None:
    """Return a span of time in seconds; None if it has no end.

    Parameters
    ----------
    span
        A number of any kind, NumPy's among them, or a ``datetime.timedelta``; None and infinity have no
        end.
    what
        The name of the argument, for messages.

    Raises
    ------
    TypeError, ValueError
        If it is no span, or one below nought.
    """
    if span is None:
        return None
    if isinstance(span, dt.timedelta):
        span = span.total_seconds()
    # A timedelta64 of NumPy counts as a whole number, of whatever unit.
    is_of_unit = getattr(getattr(span, "dtype", None), "kind", "") == "m"
    if isinstance(span, bool) or is_of_unit or not isinstance(span, numbers.Real):
        raise TypeError(
            f"{what} is a number of seconds or a datetime.timedelta, not {type(span).__name__}"
        )
    try:
        length = float(span)
    except OverflowError:  # an int of hundreds of digits
        length = math.inf if span > 0 else -math.inf
    if not length >= 0:
        raise ValueError(f"{what} is a number of seconds from 0 on, not {length:g}")
    return length if length <= _FOR_EVER else None


def is_over(created: float, *lives: float | None) -> bool:
    """Tell whether what was created then is past the shortest of its lives, in seconds."""
    # What is from the future, by more than it may live, was dated by a wrong clock.
    age = abs(time.time() - created)
    return any(life is not None and age >= life for life in lives)


def time_of(seconds: float) -> dt.datetime:
    """Return a time in seconds since 1970 as one in UTC."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError):  # a life longer than the calendar
        return dt.datetime.max.replace(tzinfo=dt.UTC)
