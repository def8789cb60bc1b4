"""The demo's steps of this package."""

from pathlib import Path

SEED = 0


def street(folder: Path) -> None:
    """Draw a stand-in world by day: 24 flat figures before 4 cameras."""
    from synthesis.street import stand_in

    stand_in.write(folder / "street-day", SEED)


def night(folder: Path) -> None:
    """Make its stand-in night: the same pictures with less light."""
    from benchmark import manifest
    from synthesis import generate

    generate.write(manifest.read(folder / "street-day" / "manifest.parquet"), folder / "street-night", SEED)


STEPS = {"street": street, "night": night}
