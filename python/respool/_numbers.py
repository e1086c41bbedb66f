"""Numbers that callers give."""

import operator


def from_on(number: int, least: int, what: str) -> int:
    """Return a number of any kind that counts, NumPy's among them, if it is not below the least.

    Parameters
    ----------
    number
        What somebody gave.
    least
        The least that it may be.
    what
        The name of the argument and what it is, for messages.

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is less.
    """
    refused = f"{what} from {least} on, not {number!r}"
    if isinstance(number, bool):
        raise TypeError(refused)
    try:
        value = operator.index(number)
    except TypeError:
        raise TypeError(refused) from None
    if value < least:
        raise ValueError(refused)
    return value
