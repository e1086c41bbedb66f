"""pyarrow's Flight, which some builds of pyarrow leave out."""

import pyarrow as pa

try:
    from pyarrow import flight
except ImportError as error:
    raise ImportError(
        f"respool.flight needs pyarrow with Flight, which this one lacks ({error}): the wheels of PyPI have it, "
        "conda has it in libarrow-flight"
    ) from error

if "expiration_time" not in (flight.FlightEndpoint.__init__.__doc__ or ""):
    raise ImportError(f"respool.flight needs pyarrow 19 or newer, not {pa.__version__}")

__all__ = ["flight"]
