"""The demo's steps of this package."""

from pathlib import Path

SEED, PRESET, NIGHT = 0, "demo", "night600"


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
    """Turn the day into a night by the chain, as `synth night` does: lamps, glare, noise, smear, JPEG."""
    from benchmark import manifest
    from benchmark.console import say
    from benchmark.executors import serial
    from synthesis import generate
    from synthesis.night import config, sheet
    from synthesis.night.order import Order

    order = Order(config.load(NIGHT), manifest.read(folder / "street" / "day.parquet"), SEED)
    record, _ = generate.write(order, folder / "synthetic-night", serial)
    numbers = record["counts"]
    for row, levels in {
        "sizes": numbers["sizes"],
        "asked for": numbers["levels"]["planned"],
        "made": numbers["levels"]["made"],
    }.items():
        said = ", ".join(f"{number} {level}" for level, number in levels.items())
        say(f"  {row}: {said}")
    say(f"  {sheet.write(order, folder / 'synthetic-night')}")


STEPS = {"street": street, "night": night}
