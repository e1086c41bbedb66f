"""What is said about a filter that can't be translated exactly."""

MAX_TEXT = 200
"""Characters of a part that are shown."""


def refused(part: object, reason: str) -> ValueError:
    """Make the error that names the part, why it is refused, and what to do."""
    text = " ".join(str(part).split())
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}..."
    return ValueError(
        f"cannot filter by {text}: {reason}; comparisons, in, null and NaN tests, prefixes, and, or, not "
        "of columns and constants can be; filter the result instead"
    )
