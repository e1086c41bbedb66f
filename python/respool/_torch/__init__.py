"""What :mod:`respool.torch` is made of: who reads what, and what tensors columns become."""
