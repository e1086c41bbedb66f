"""How old is too old."""

import datetime as dt
import math
import time


def seconds(span: float | dt.timedelta | None, what: str) -> float | None:
    """Return a span of time in seconds; None if there is none.

    Raises
    ------
    TypeError, ValueError
        If it is no span, or one below nought or without an end.
    """
    if span is None:
        return None
    if isinstance(span, dt.timedelta):
        span = span.total_seconds()
    if isinstance(span, bool) or not isinstance(span, int | float):
        raise TypeError(
            f"{what} is a number of seconds or a datetime.timedelta, not {type(span).__name__}"
        )
    if not (math.isfinite(span) and span >= 0):
        raise ValueError(f"{what} is a number of seconds that is not negative, not {span}")
    return float(span)


def is_over(created: float, *lives: float | None) -> bool:
    """Tell whether what was created then is past the shortest of its lives, in seconds."""
    # What is from the future, by more than it may live, was dated by a wrong clock.
    age = abs(time.time() - created)
    return any(life is not None and age >= life for life in lives)
