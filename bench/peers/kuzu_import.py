"""Imports the files of the import benchmark into Kuzu, durably, and opens the result again.

Called by `cargo xtask bench peers` with a directory that holds vertices.csv and edges.csv;
prints the seconds of the import, its peak memory in bytes and the seconds of opening.
"""

import pathlib
import resource
import subprocess
import sys
import time

import kuzu

OPEN = """
import kuzu, sys
rows = kuzu.Connection(kuzu.Database(sys.argv[1])).execute("MATCH (v:V {id: 'v7'}) RETURN v.score")
assert rows.get_next() == [49]
"""


def main(folder: pathlib.Path) -> None:
    path = str(folder / "kuzu")
    started = time.perf_counter()
    database = kuzu.Database(path)
    connection = kuzu.Connection(database)
    connection.execute("CREATE NODE TABLE V(id STRING, label STRING, score INT64, PRIMARY KEY(id))")
    connection.execute("CREATE REL TABLE E(FROM V TO V, label STRING)")
    for table in ("V", "E"):
        name = {"V": "vertices.csv", "E": "edges.csv"}[table]
        connection.execute(f"COPY {table} FROM '{folder / name}' (header=false)")
    connection.execute("CHECKPOINT")
    connection.close()
    database.close()
    imported = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", OPEN, path], check=True)
    print(imported, peak, time.perf_counter() - started)


main(pathlib.Path(sys.argv[1]))
