"""The card of a night: what it was made of, how, by which programs, and what came out; for people to read."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmark import durable
from benchmark.comparison import percent
from benchmark.console import count
from benchmark.plugins import Room

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


def terms(sources: Sequence[str]) -> list[dict[str, str]]:
    """Say under which terms the parents are used, as far as a reader knows: its name is a source's first word."""
    readers = Room("benchmark.readers", "reader")
    words = dict.fromkeys(source.split("+")[0].split("-")[0] for source in sources)
    cards = [readers.load(word).CARD for word in words if word in readers.names()]
    found = [{name: getattr(card, name) for name in ("title", "licence", "citation", "access")} for card in cards]
    return [said for said in found if any(said[name] for name in ("licence", "citation", "access"))]


def write(record: Mapping[str, Any], out: Path) -> None:
    """Write the card."""
    durable.write_bytes(out / NAME, text(record).encode())


def text(record: Mapping[str, Any]) -> str:
    """Say what a person who is handed the folder should know."""
    parents, about = record["parents"], record["recipe"]["about"]
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
        *_PURPOSE,
        "",
        *_table("made of", _parents(parents)),
        *_table("terms", _terms(record["terms"])),
        *_table("made", _made(record)),
        *_table("in it", _contents(record)),
        *_levels(record),
        *_table("made by", record["versions"]),
        "It is made again, of the same manifest and by the same versions, with",
        "",
        f"    {_command(record)}",
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


_PURPOSE = (
    "It is for training, and for tests of one effect of the dark at a time: who is on a picture, and how dark it was "
    "made, is known.",
    "How near it comes to real night is not measured by this card.",
    "What a method reaches on it is evidence about synthetic nights, none about real ones.",
)
_HASHES = ("data_sha256", "labels_sha256")


def _parents(parents: Mapping[str, Any]) -> dict[str, str]:
    said = {"rows": f"{parents['rows']:,}"}
    said |= {"rows unmeasured, set aside": f"{parents['unmeasured']:,}"} if parents["unmeasured"] else {}
    said |= {"rows infrared or thermal, left out": f"{parents['infrared']:,}"} if parents["infrared"] else {}
    return said | {key: parents[key] for key in _HASHES}


def _terms(terms: Sequence[Mapping[str, str]]) -> dict[str, str]:
    said = {"all": "the terms of the pictures that it was made of hold for these, too"}
    for one in terms:
        said[one["title"]] = "; ".join(filter(None, (one["licence"], one["access"], one["citation"])))
    return said


def _made(record: Mapping[str, Any]) -> dict[str, str]:
    numbers = record["counts"]
    said = {"pictures": f"{numbers['pictures']:,} in {count(numbers['files'], 'file')}"}
    said["set aside"] = f"{numbers['set_aside']:,}" + (" (set-aside.csv says why)" if numbers["set_aside"] else "")
    if record["limit"] is not None:
        said["limit"] = f"{record['limit']}: a preview, a part of the set with as many of each level as there are"
    if numbers["lightness_error"] is not None:
        said["lightness"] = lightness(numbers)
    said |= {"seed": str(record["seed"]), "quality": record["recipe"]["quality"], "recipe": record["recipe_sha256"]}
    return said | {"data_sha256": record["manifest_data_sha256"], "labels_sha256": record["manifest_labels_sha256"]}


def lightness(numbers: Mapping[str, Any]) -> str:
    """Say how near the pictures came to the lightness and the level that was asked for."""
    missed, off = numbers["not_reached"], numbers["off_target"]
    beside = f", {off:,} of them by more than 10 or a quarter of the target" if off else ""
    ended = f"{count(missed, 'picture')} missed level or target{beside}" if missed else "all pictures reached theirs"
    which = "" if numbers["corrected"] else _UNCORRECTED["all_steps" in numbers["levels"]]
    return f"mean error {numbers['lightness_error']:.2f} of 255, worst {numbers['lightness_worst']:.1f}{which}; {ended}"


# By whether there is a ladder.
_UNCORRECTED = {
    True: " (of the step at 0 stops, by which all steps of its ladder are corrected)",
    False: " (of all people in a frame together, by whom the exposure goes)",
}


def _contents(record: Mapping[str, Any]) -> dict[str, str]:
    """Count people, cameras and roles."""
    numbers = record["counts"]
    said = {name: f"{numbers[name]:,}" for name in ("identities", "cameras")}
    said["lights of cameras"] = f"{numbers['camera_blocks']:,}: pictures of one share lamps, white balance and noise"
    said |= {f"files, {role}": f"{number:,}" for role, number in numbers["roles"].items()}
    if record["own_names"]:
        said["names"] = f"the parents' own: {record['own_names']}"
    return said


def levels(record: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Give the declared shares and the counts of light and of size: rows of cells, by level."""
    numbers, preview = record["counts"], record["limit"] is not None
    light, drawn = numbers["levels"], "drawn for the preview" if preview else "drawn"
    step = " (step at 0 stops)" if "all_steps" in light else ""
    made = {
        "light": {f"{drawn}{step}": light["planned"], f"made{step}": light["made"]}
        | {"made (all steps)": light.get("all_steps")},
        "size": {drawn: numbers["sizes_planned"], "made": numbers["sizes"]},
    }
    said = {}
    for title, rows in made.items():
        wanted = numbers["declared"]["light" if title == "light" else "sizes"]
        shares = {"declared": {level: percent(share) for level, share in wanted.items()}} if wanted else {}
        said[title] = shares | {row: _shares(found) for row, found in rows.items() if found}
    return said


def _shares(found: Mapping[str, int]) -> dict[str, str]:
    total = max(sum(found.values()), 1)
    return {level: f"{number:,} {percent(number / total):>8}" for level, number in found.items()}


def _levels(record: Mapping[str, Any]) -> list[str]:
    """Show declared, drawn and achieved shares below each other."""
    lines = []
    for title, rows in levels(record).items():
        names = list(next(iter(rows.values())))
        lines += [f"| {title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        lines += [
            f"| {row} | {' | '.join(' '.join(cells[name].split()) for name in names)} |" for row, cells in rows.items()
        ]
        lines.append("")
    return lines


def _command(record: Mapping[str, Any]) -> str:
    """Give the command line that makes the set again; `night.toml` has the quality and all other settings."""
    words = ["luxreid synth night MANIFEST --night night.toml --seed", str(record["seed"])]
    words += ["--limit", str(record["limit"])] if record["limit"] is not None else []
    words += ["--frames FOLDER"] if record["frames"] else []
    return " ".join([*words, "--out OUT"])


def _table(title: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {title} | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items()), ""]
