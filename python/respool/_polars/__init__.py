"""What ``respool.polars`` is made of."""
