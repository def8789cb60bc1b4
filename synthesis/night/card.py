"""The card of a night: what it was made of, how, by which programs, and what came out; for people to read."""

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark import durable
from benchmark.comparison import percent
from benchmark.console import count

NAME = "card.md"
LIBRARIES = ("luxreid", "numpy", "scipy", "opencv-python-headless", "simplejpeg", "numba", "pyarrow", "av")


def versions() -> dict[str, str]:
    """Say by which programs pictures are made: the same bytes come only from the same ones."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write(record: Mapping[str, Any], out: Path) -> None:
    """Write the card."""
    durable.write_bytes(out / NAME, text(record).encode())


def text(record: Mapping[str, Any]) -> str:
    """Say what a person who is handed the folder should know."""
    numbers, parents = record["counts"], record["parents"]
    about = record["recipe"]["about"]
    lines = [
        f"# {record['name']}: a night made of {', '.join(parents['sources'])}",
        "",
        about or "(no description)",
        "",
    ]
    lines += [
        "These pictures are synthetic: days turned into nights by the night chain of luxreid. The plan of every "
        "picture is in `plan.parquet`; `night.toml` makes the same again; `night.json` holds the below for programs.",
        "",
        *_table("made of", {"rows": f"{parents['rows']:,}", **{key: parents[key] for key in _HASHES}}),
        *_table("made", _made(record)),
        *_levels(numbers),
        *_table("made by", record["versions"]),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


_HASHES = ("data_sha256", "labels_sha256")


def _made(record: Mapping[str, Any]) -> dict[str, str]:
    numbers = record["counts"]
    said = {"pictures": f"{numbers['pictures']:,} in {count(numbers['files'], 'file')}"}
    said["set aside"] = f"{numbers['set_aside']:,}" + (" (set-aside.csv says why)" if numbers["set_aside"] else "")
    if record["limit"] is not None:
        said["limit"] = f"{record['limit']}: a part of the set, for a look"
    if numbers["lightness_error"] is not None:
        said["mean error of lightness"] = f"{numbers['lightness_error']:.2f} of 255"
        said["level not reached"] = f"{numbers['not_reached']:,}"
    said |= {"seed": str(record["seed"]), "quality": record["recipe"]["quality"], "recipe": record["recipe_sha256"]}
    return said | {"data_sha256": record["manifest_data_sha256"], "labels_sha256": record["manifest_labels_sha256"]}


def _levels(numbers: Mapping[str, Any]) -> list[str]:
    """Show planned and achieved shares beside each other."""
    rows = {}
    for kind, found in {**numbers["levels"], "sizes": numbers["sizes"]}.items():
        title = {"planned": "light, asked for", "made": "light", "sizes": "size"}[kind]
        if found:
            total = max(sum(found.values()), 1)
            shares = (f"{level} {number:,} ({percent(number / total)})" for level, number in found.items())
            rows[title] = ", ".join(shares)
    return _table("levels", rows)


def _table(title: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {title} | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items()), ""]
