"""Caches over Arrow Flight: what is served, and how it is fetched. Needs pyarrow with Flight.

One way: ``constants`` < ``predicates`` < ``tickets``; ``told``, ``marks`` and ``fork`` know nothing of the others;
``pull`` < ``served`` < ``ranges`` < ``stream``, and ``shelf``, for a server; ``reading`` < ``fetch`` for a client.
"""
