"""A log, read in parts by workers of an engine that may be other processes on other machines.

What travels is which log it is and which rows of it; the batches stay where they are. Only what every such
engine needs is here: the engine's own types are in its module.
"""
