"""The demo's steps of this package."""

from pathlib import Path


def board(folder: Path) -> None:
    """Put the run's row into a Parquet file and print it by light and size."""
    import pyarrow.parquet as pq

    from benchmark import durable, results
    from benchmark.console import console
    from leaderboards import tables

    bundle = results.read(folder / "bundle")
    rows = results.runs_table([bundle.run])
    durable.write_atomically(folder / "board.parquet", lambda file: pq.write_table(rows, file, compression="zstd"))
    console().print(tables.table(bundle))


STEPS = {"board": board}
