"""Everything of a log, held against its checksums.

`log` goes through all of it: the batches through the reader that all readers have, and by itself what nobody
reads who only wants rows, which is the `index` from its first entry on, the files with `sections`, and what other
programs read at the end of `segments`. `crc` is the checksum of the format, `found` what is wrong.
"""
