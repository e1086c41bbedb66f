"""pyarrow's Flight, which some builds of pyarrow leave out."""

try:
    from pyarrow import flight
except ImportError as error:
    raise ImportError(
        f"respool.flight needs pyarrow with Flight, which this one lacks ({error}): the wheels of PyPI have it, "
        "conda has it in libarrow-flight"
    ) from error

__all__ = ["flight"]
