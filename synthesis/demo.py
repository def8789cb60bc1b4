"""The demo's steps of this package."""

from pathlib import Path

SEED, PRESET = 0, "demo"


def street(folder: Path) -> None:
    """Render a small street by day and by its true night: 100 people before 8 cameras."""
    from benchmark.console import say
    from benchmark.executors import serial
    from synthesis.street import config, sheet, write
    from synthesis.street.order import Order

    order = Order(config.load(PRESET), SEED, PRESET)
    record, _ = write.write(order, folder / "street", serial)
    for row, levels in {"sizes": record["sizes"], **record["light"]}.items():
        said = ", ".join(f"{number} {level}" for level, number in levels.items())
        say(f"  {row}: {said}")
    say(f"  {sheet.write(order, folder / 'street')}")


def night(folder: Path) -> None:
    """Make a stand-in night of the day: the same pictures with less light."""
    from benchmark import manifest
    from synthesis import generate

    generate.write(manifest.read(folder / "street" / "day.parquet"), folder / "synthetic-night", SEED)


STEPS = {"street": street, "night": night}
