"""DuckDB over the log, with next to nothing in memory, against DuckDB over a pyarrow table."""

from __future__ import annotations

import batchcorder
import data
import duckdb
import pyarrow as pa
from measure import Claim, rounds, scratch, table, timed

import respool

BATCHES = data.batches()
QUERIES = {
    "sum": "select sum(x), sum(id) from {}",
    "group by": "select g, sum(x), count(*) from {} group by g",
}


def main() -> None:
    con = duckdb.connect()
    with scratch() as directory:
        log = respool.StreamCache(data.reader(BATCHES), "1 MiB", directory, 4 << 30)
        memory = respool.StreamCache(data.reader(BATCHES))
        peer = batchcorder.StreamCache(data.reader(BATCHES), 1 << 20, directory, 4 << 30)
        whole = pa.Table.from_batches(BATCHES)
        names = {"the log": log, "memory": memory, "batchcorder, disk": peer, "pa.Table": whole}
        for number, stream in enumerate(names.values()):
            con.register(f"t{number}", stream)
            assert data.drain(stream) == data.ROWS

        def run(sql: str, number: int) -> float:
            return timed(lambda: con.execute(sql.format(f"t{number}")).fetchall(), 3)

        seconds = rounds(
            {
                f"{query} over {name}": lambda sql=sql, number=number: run(sql, number)
                for query, sql in QUERIES.items()
                for number, name in enumerate(names)
            }
        )
        con.close()
        for cache in (log, memory, peer):
            cache.close()
    claims = []
    for query in QUERIES:
        claims += [
            Claim(f"{query} over the log", f"{query} over pa.Table", 1.15),
            Claim(f"{query} over the log", f"{query} over batchcorder, disk"),
            Claim(f"{query} over memory", f"{query} over pa.Table"),
        ]
    table("DuckDB, memory cap 1 MiB for the log", seconds, claims)


if __name__ == "__main__":
    main()
