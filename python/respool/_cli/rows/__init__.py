"""Rows, printed or written to a file.

`formats` says which formats there are and writes one, `table` is for people, `text` is CSV and JSON, `files` are
those of Arrow and Parquet, `values` makes of columns what text can hold, `times` of those with times.
"""
