"""What `respool.ray` is made of."""
