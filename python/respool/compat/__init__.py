"""Other libraries' names over respool's cache, for code that changes its import and nothing else."""
