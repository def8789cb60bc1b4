"""The contact sheet of a world: a few people before a few cameras, and all outputs of each shot below each other."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from benchmark import images, manifest, strata
from benchmark.images import Picture
from benchmark.manifest import Manifest
from synthesis.street import render, shots
from synthesis.street.config import name
from synthesis.street.order import Order
from synthesis.street.render import Taken
from synthesis.street.scene import PARTS
from synthesis.street.shots import Shot, Walk
from synthesis.street.table import Time
from synthesis.street.write import SCHEMES, TRUTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEOPLE, ACROSS = 3, 4  # people, and pictures of each
HALF_HIDDEN, PARTLY = 0.4, (0.1, 0.6)  # shares of a person that something hides

# Pixels. No column is narrower than the words below it.
HIGH, NARROW, GAP, BLOCK, MARGIN = 170, 80, 6, 24, 18
LABEL, TITLE, HEADING, CAPTION, LINE = 104, 54, 40, 24, 15
NARROWEST, LEAST = 130, 760  # one person's block, and the sheet: as wide as the words above them
TINY, SMALL, LARGE = 7, 8, 12  # points

INK, FAINT = "#222222", "#6e6e6e"
SQUARE = "\u25a0"
BACKGROUND, HIDDEN = (238, 238, 238), (178, 178, 178)
# Okabe and Ito's, told apart with every common kind of colour vision; in the order of PARTS.
COLOURS = ("#e69f00", "#000000", "#0072b2", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442")
BRIGHT = 98.0  # the percentile of a picture's night light that is shown white


class Track(NamedTuple):
    """One picture of a walk, and what the tables say of it."""

    pid: int
    camid: int
    frame: int
    size: str
    light: str
    cell: tuple[str, str]  # levels of size and light
    hidden: float = 0.0


class Row(NamedTuple):
    """One output of all shots: its name, how it is drawn, and, where it is a picture, of which time."""

    label: str
    draw: Callable[[Taken], Picture]
    time: Time | None = None


class Words(NamedTuple):
    """A line of text: its left end, or its middle, in pixels from the upper left corner."""

    x: float
    y: float
    text: str
    points: int = SMALL
    colour: str = INK
    middle: bool = False


class Place(NamedTuple):
    """Where a picture lies on the sheet."""

    x: int
    y: int
    picture: Picture


class Sheet(NamedTuple):
    """Everything on the sheet, laid out."""

    width: int
    height: int
    pictures: list[Place]
    words: list[Words]


def write(order: Order, out: Path) -> Path:
    """Draw the sheet of a finished world beside its folder; what it shows is rendered again."""
    from benchmark.figures import style

    return style.save(figure(lay(order, shown(order, out))), beside(out))


def beside(out: Path) -> Path:
    """Name the sheet of a world; inside its folder it would be a picture that no manifest names."""
    place = out.resolve() if out.name in ("", "..") else out
    return place.with_name(f"{place.name}-sheet.png")


def shown(order: Order, out: Path) -> list[list[Track]]:
    """Choose what the sheet of a world shows."""
    return veiled(choose(tracks(order, out)), tracks(order, out, HALF_HIDDEN))


def tracks(order: Order, out: Path, wanted: float = 0.0) -> dict[int, list[Track]]:
    """List every person's walks by what the world's tables say, of each the picture that hides about so much."""
    table = manifest.read(out / f"{'night' if 'night' in order.world.times else 'day'}.parquet")
    sizes, lights = (_levels(table, SCHEMES[key]) for key in ("sizes", "light"))
    people: dict[int, list[Track]] = {}
    hidden = _hidden(out)
    for place, row in _nearest(table, hidden, wanted).items():
        size, light = f"{row['width']} x {row['height']}", f"{lights[place]} {row['lightness']:.0f}"
        cell, share = (sizes[place], lights[place]), hidden[row["scene"]]
        track = Track(row["pid"], row["camid"], row["frame"], size, light, cell, share)
        people.setdefault(track.pid, []).append(track)
    return people


def _hidden(out: Path) -> dict[str, float]:
    """Read which share of the person is hidden in every scene."""
    columns = pq.read_table(out / TRUTH, columns=["scene", "occluded"]).to_pydict()
    return dict(zip(columns["scene"], columns["occluded"], strict=True))


def _nearest(table: Manifest, hidden: Mapping[str, float], wanted: float) -> dict[int, dict[str, Any]]:
    """Find the row of every walk in which about as much of the person is hidden as is wanted."""
    names = ["scene", "sequence", "pid", "camid", "frame", "width", "height", "lightness"]
    rows = table.table.select(names).to_pylist()
    best: dict[str, int] = {}
    for place in sorted(range(len(rows)), key=lambda place: abs(hidden[rows[place]["scene"]] - wanted)):
        best.setdefault(rows[place]["sequence"], place)
    return {place: rows[place] for place in sorted(best.values())}


def _levels(table: Manifest, scheme: str) -> list[str]:
    cut = strata.assign(table, strata.scheme(scheme))
    return [cut.levels[code] for code in cut.codes]


def choose(people: dict[int, list[Track]]) -> list[list[Track]]:
    """Choose a few people, and walks of each, that show as many sizes in as many lights as can be."""
    most = min(ACROSS, max(map(len, people.values())))
    left = {pid: found for pid, found in people.items() if len(found) >= most}
    met: set[tuple[str, str]] = set()
    chosen: list[list[Track]] = []
    while left and len(chosen) < PEOPLE:
        picked = {pid: _spread(found, met) for pid, found in left.items()}
        best = max(left, key=lambda pid: (len({track.cell for track in picked[pid]} - met), -pid))
        met |= {track.cell for track in picked[best]}
        chosen.append(sorted(picked[best], key=lambda track: track.camid))
        del left[best]
    return chosen


def _spread(found: Sequence[Track], met: set[tuple[str, str]]) -> list[Track]:
    """Take a few walks of a person, first of all those that show something new."""
    known, left = set(met), list(found)
    taken: list[Track] = []
    while left and len(taken) < ACROSS:
        taken.append(min(left, key=lambda track: (track.cell in known, track.camid)))
        known.add(taken[-1].cell)
        left.remove(taken[-1])
    return taken


def veiled(chosen: Sequence[Sequence[Track]], others: Mapping[int, Sequence[Track]]) -> list[list[Track]]:
    """Let one of the people be seen behind what stands in the way, where something does."""
    partly = {track[:2]: track for rows in others.values() for track in rows if PARTLY[0] < track.hidden < PARTLY[1]}
    most = max(chosen, key=lambda rows: sum(track[:2] in partly for track in rows))
    return [[partly.get(track[:2], track) if rows is most else track for track in rows] for rows in chosen]


def lay(order: Order, chosen: Sequence[Sequence[Track]]) -> Sheet:
    """Render what was chosen and lay it out: a column a shot, a row an output."""
    rows = _rows(order.world.times)
    tops = [MARGIN + TITLE + HEADING]
    for row in rows:
        tops.append(tops[-1] + HIGH + (CAPTION if row.time else GAP))
    pictures: list[Place] = []
    words, x = _labels(order, rows, tops), MARGIN + LABEL
    for person in chosen:
        end = x + NARROWEST
        words.append(Words(x, MARGIN + TITLE + 6, f"identity {person[0].pid}"))
        for track in person:
            taken = render.take(order.world, order.seed, _shot(order, track))
            drawn = [scaled(row.draw(taken)) for row in rows]
            width = max(NARROW, drawn[0].shape[1])
            words += _captions(track, rows, tops, x + width / 2)
            places = zip(tops[:-1], drawn, strict=True)
            pictures += [Place(x + (width - picture.shape[1]) // 2, top, picture) for top, picture in places]
            x += width + GAP
        x = max(x - GAP, end) + BLOCK
    return Sheet(max(x - BLOCK + MARGIN, LEAST), tops[-1] + MARGIN, pictures, words)


def _shot(order: Order, track: Track) -> Shot:
    return shots.shots(order.world, order.seed, Walk(track.pid, track.camid, track.frame + 1))[track.frame]


def _rows(times: Sequence[Time]) -> list[Row]:
    stored = {"day": Row("day", day, "day"), "night": Row("true night", night, "night")}
    maps = [Row("albedo", albedo), Row("night light", light), Row("normals", normals), Row("depth", depth)]
    return [*(stored[time] for time in sorted(times)), *maps, Row("parts", parts)]


def _labels(order: Order, rows: Sequence[Row], tops: Sequence[int]) -> list[Words]:
    """Say what the sheet and its rows are."""
    said = f"{name(order.world, order.seed)}: one geometry, all outputs"
    words = [Words(MARGIN, MARGIN + 10, said, LARGE)]
    note = "Every crop is scaled to one height; below it stand its own size, and its light level and lightness."
    words.append(Words(MARGIN, MARGIN + 32, note, SMALL, FAINT))
    words += [Words(MARGIN, top + HIGH / 2, row.label) for row, top in zip(rows, tops, strict=False)]
    legend = [*zip(PARTS, COLOURS, strict=True), ("hidden", _hex(HIDDEN))]
    # The legend of the last row stands below its name.
    start = tops[len(rows) - 1] + (HIGH - LINE * len(legend)) / 2 + LINE
    words[-1] = words[-1]._replace(y=start - LINE)
    for place, (part, colour) in enumerate(legend):
        words.append(Words(MARGIN + 4, start + LINE * place, SQUARE, TINY, colour))
        words.append(Words(MARGIN + 18, start + LINE * place, part, TINY, FAINT))
    return words


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{value:02x}" for value in colour)


def _captions(track: Track, rows: Sequence[Row], tops: Sequence[int], middle: float) -> list[Words]:
    """Say below each stored picture what it is like, and above the column which camera took it."""
    words = [Words(middle, tops[0] - 10, f"camera {track.camid}", TINY, FAINT, middle=True)]
    said = {"day": track.size, "night": track.light}
    for row, top in zip(rows, tops, strict=False):
        if row.time:
            words.append(Words(middle, top + HIGH + CAPTION / 2 - 1, said[row.time], TINY, FAINT, middle=True))
    return words


def figure(sheet: Sheet) -> "Figure":
    """Put a sheet on paper, pixel by pixel."""
    from matplotlib.figure import Figure

    from benchmark.figures.style import DPI

    paper = np.full((sheet.height, sheet.width, 3), 255, np.uint8)
    for x, y, picture in sheet.pictures:
        paper[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    made = Figure(figsize=(sheet.width / DPI, sheet.height / DPI), dpi=DPI)
    made.figimage(paper)
    for line in sheet.words:
        align, at = "center" if line.middle else "left", (line.x / sheet.width, 1 - line.y / sheet.height)
        made.text(*at, line.text, ha=align, va="center", fontsize=line.points, color=line.colour, parse_math=False)
    return made


def scaled(picture: Picture) -> Picture:
    """Bring a picture to the sheet's height."""
    height, width, _ = picture.shape
    size = (max(round(width * HIGH / height), 1), HIGH)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def day(taken: Taken) -> Picture:
    """Show the stored picture of the day."""
    return images.decode(taken.files["day"])


def night(taken: Taken) -> Picture:
    """Show the stored picture of the night."""
    return images.decode(taken.files["night"])


def albedo(taken: Taken) -> Picture:
    """Show what share of the light every surface gives back."""
    return _encoded(taken.rendering.albedo)


def light(taken: Taken) -> Picture:
    """Show the light of the night without the surfaces' colours, brightened for the eye."""
    falling = taken.rendering.irradiance
    return _encoded(falling / max(float(np.percentile(falling.max(axis=2), BRIGHT)), 1e-9))


def _encoded(linear: NDArray[np.float32]) -> Picture:
    coded: Picture = np.round(255 * images.from_linear(np.clip(linear.astype(np.float64), 0, 1))).astype(np.uint8)
    return coded


def normals(taken: Taken) -> Picture:
    """Show where surfaces face, seen from the camera: red is right, green up, blue towards it."""
    view = taken.staged.scene.view
    seen = taken.rendering.normal @ np.stack([view.right, view.up, -view.forward], axis=1)
    coded: Picture = np.round(255 * np.clip(0.5 + 0.5 * seen, 0, 1)).astype(np.uint8)
    return coded


def depth(taken: Taken) -> Picture:
    """Show how far away everything is, the near bright."""
    from matplotlib import colormaps

    far = np.log(taken.rendering.depth)
    known = far[np.isfinite(far)]
    low, high = np.percentile(known, [0.5, 99.5]) if known.size else (0.0, 1.0)
    share = np.clip((high - np.where(np.isfinite(far), far, high)) / max(high - low, 1e-6), 0, 1)
    coloured: Picture = np.round(255 * colormaps["viridis"](share)[:, :, :3]).astype(np.uint8)
    return coloured


def parts(taken: Taken) -> Picture:
    """Show the parts of the person, and in grey what of them is hidden."""
    rendering = taken.rendering
    table = np.array([BACKGROUND, *(tuple(bytes.fromhex(colour[1:])) for colour in COLOURS)], np.uint8)
    shown: Picture = table[rendering.part.astype(np.intp) + 1]
    shown[rendering.amodal & ~rendering.mask] = HIDDEN
    return shown
