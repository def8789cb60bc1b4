"""The tables of a world: the manifests of its day and its night, and the truth about every scene."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark import durable, manifest
from benchmark.manifest import Manifest
from synthesis.street import camera, lamps, places, scene
from synthesis.street.config import World, name
from synthesis.street.people import PALETTE, Colour, Person, person
from synthesis.street.scene import Array, Illumination
from synthesis.street.shots import Shot, night_begins

Time = Literal["day", "night"]
SCHEMA = "street-truth/1"

BOX, FULL = ("x", "y", "w", "h", "width", "height"), ("full_x", "full_y", "full_w", "full_h")
POSE = ("x", "z", "yaw", "phase", "stride", "activity", "look")
THING = ("pid", "shape", "x", "z", "yaw", "phase", "way", "aside", "height", "cover")
UNSIGNED = {"sensor_pattern"}  # 64 bits, all of them used


@dataclass(frozen=True)
class Found:
    """What only rendering tells of one shot."""

    occluded: float  # share of the body that something hides, or that lies outside the crop
    visible: tuple[float, float, float, float] | None  # box of what is seen (x, y, w, h) in the frame; None: nothing
    exposures: Mapping[Time, camera.Exposure]
    measures: Mapping[Time, Mapping[str, Any]]  # the manifest's measured columns


def picture_path(time: Time, shot: Shot) -> str:
    """Name a shot's picture under the world's folder."""
    return f"{time}/{_stem(shot)}.jpg"


def mask_path(shot: Shot) -> str:
    """Name a shot's mask, which its day and its night share."""
    return f"mask/{_stem(shot)}.png"


def _stem(shot: Shot) -> str:
    return f"{shot.pid:04d}/c{shot.camid}_{shot.frame:03d}"


def pictures(
    world: World, seed: int, time: Time, root: Path, shots: Sequence[Shot], boxes: Array, found: Sequence[Found] = ()
) -> Manifest:
    """Make the manifest of one time of day; `boxes` (n, 6): x, y, w, h in the frame, then stored width and height."""
    space = name(world, seed)
    copies = {shot.pid: person(world, seed, shot.pid) for shot in shots}
    columns: dict[str, Any] = {
        "path": [picture_path(time, shot) for shot in shots],
        "mask": [mask_path(shot) for shot in shots],
        "id_space": [space] * len(shots),
        "time": [time] * len(shots),
        "scene": [shot.scene for shot in shots],
        "sequence": [shot.scene.rpartition("/")[0] for shot in shots],
        "look_alike": [copies[shot.pid].look_alike_of > 0 for shot in shots],
        "attributes": [_described(copies[shot.pid]) for shot in shots],
    }
    columns |= {key: [getattr(shot, key) for shot in shots] for key in ("pid", "camid", "frame")}
    later = night_begins(world) if time == "night" else 0.0
    columns["timestamp"] = [shot.timestamp + later for shot in shots]
    columns |= {key: boxes[:, place].astype(np.float32) for place, key in enumerate(BOX[:4])}
    if found:
        columns |= {key: [one.measures[time][key] for one in found] for key in found[0].measures[time]}
    return manifest.build(columns, f"{space}-{time}", root)


def truth(
    world: World, seed: int, shots: Sequence[Shot], boxes: Array, full: Array, found: Sequence[Found] = ()
) -> pa.Table:
    """Tell all that went into some shots, one row each; `full` (n, 4) is the whole body's x, y, w, h, seen or not.

    Tables of parts of a world can be put together.
    """
    columns: dict[str, Any] = {"scene": pa.array([shot.scene for shot in shots])}
    columns |= {key: _whole([getattr(shot, key) for shot in shots]) for key in ("pid", "camid", "frame")}
    columns |= {key: pa.array([getattr(shot, key) for shot in shots], pa.float64()) for key in ("seconds", "timestamp")}
    columns |= {key: pa.array(boxes[:, place], pa.float64()) for place, key in enumerate(BOX[:4])}
    columns |= {key: _whole(boxes[:, place].astype(np.int64)) for place, key in enumerate(BOX) if place > 3}
    columns |= {key: pa.array(full[:, place], pa.float64()) for place, key in enumerate(FULL)}
    columns |= _rendered(found, len(shots)) | _things(shots)
    columns |= {f"pose_{key}": pa.array([getattr(shot.pose, key) for shot in shots]) for key in POSE}
    columns |= _repeated([shot.pid for shot in shots], lambda pid: _person_card(world, seed, pid))
    columns |= _repeated([shot.camid for shot in shots], lambda camid: _camera_card(world, seed, camid))
    columns |= _light(world, seed, shots, boxes)
    return pa.table(columns).replace_schema_metadata(_metadata(world, seed))


def write_truth(table: pa.Table, path: Path) -> None:
    """Write the truth atomically; equal tables give equal bytes."""
    durable.write_atomically(
        path,
        lambda file: pq.write_table(table, file, compression="zstd", row_group_size=2**15, write_page_checksum=True),
    )


def _metadata(world: World, seed: int) -> dict[str, str]:
    try:
        version = metadata.version("luxreid")
    except metadata.PackageNotFoundError:
        version = "not installed"
    said = {"luxreid.schema": SCHEMA, "version": version, "name": name(world, seed), "preset": world.space}
    said |= {"difficulty": world.difficulty, "quality": world.quality, "seed": str(seed)}
    said |= {"night_begins": str(night_begins(world))}  # seconds by which a night's timestamps are later
    return said | {"config": world.model_dump_json()}


def _whole(numbers: Sequence[int] | NDArray[np.int64]) -> pa.Array:
    return pa.array(numbers, pa.int32())


def _rendered(found: Sequence[Found], count: int) -> dict[str, pa.Array]:
    """Tell what rendering found; null where nothing was rendered."""
    given: Sequence[Found | None] = found or [None] * count
    columns = {"occluded": pa.array([one and one.occluded for one in given], pa.float64())}
    for place, key in enumerate(("visible_x", "visible_y", "visible_w", "visible_h")):
        columns[key] = pa.array([one.visible[place] if one and one.visible else None for one in given], pa.float64())
    for time in ("day", "night"):
        exposed = [one.exposures.get(time) if one else None for one in given]
        for field in camera.Exposure._fields:
            values = [None if one is None else getattr(one, field) for one in exposed]
            columns[f"{time}_exposure_{field}"] = pa.array(values, pa.float64())
    return columns


def _things(shots: Sequence[Shot]) -> dict[str, pa.Array]:
    things = [shot.occluder for shot in shots]
    columns = {"occluder": pa.array([thing.kind if thing else "none" for thing in things])}
    for key in THING:
        kind = pa.int32() if key in ("pid", "shape") else pa.float64()
        columns[f"occluder_{key}"] = pa.array([getattr(thing, key) if thing else None for thing in things], kind)
    return columns


def _repeated(numbers: Sequence[int], card: Callable[[int], dict[str, Any]]) -> dict[str, pa.Array]:
    """Make columns of cards that many rows share: each card is made once."""
    distinct, place = np.unique(numbers, return_inverse=True)
    cards = [card(number) for number in distinct.tolist()]
    return {key: _column(key, [one[key] for one in cards]).take(pa.array(place)) for key in cards[0]}


def _column(key: str, values: Sequence[Any]) -> pa.Array:
    if key in UNSIGNED:
        return pa.array(values, pa.uint64())
    if isinstance(values[0], tuple | list | np.ndarray):
        return pa.array([[float(number) for number in row] for row in values], pa.list_(pa.float64(), len(values[0])))
    return pa.array([number.item() if isinstance(number, np.generic) else number for number in values])


def _person_card(world: World, seed: int, pid: int) -> dict[str, Any]:
    """Tell a person's attributes; `wardrobe` is one number for all who wear the same clothes."""
    who = person(world, seed, pid)
    card = {f"person_{key}": value for key, value in asdict(who).items() if key not in ("pid", "look_alike_of")}
    return {"look_alike_of": who.look_alike_of, "wardrobe": who.look_alike_of or pid} | card


def _camera_card(world: World, seed: int, camid: int) -> dict[str, Any]:
    place = places.place(world, seed, camid)
    card = {f"view_{key}": getattr(place.view, key) for key in ("eye", "right", "up", "forward", "focal")}
    card |= {f"place_{key}": value for key, value in place.card().items()}
    sensor = asdict(camera.sensor(world, seed, camid))
    return card | {f"sensor_{key}": value for key, value in sensor.items() if key != "camid"}


def _light(world: World, seed: int, shots: Sequence[Shot], boxes: Array) -> dict[str, pa.Array]:
    """Tell the light of every shot: the sun, the fill, and where each light of the night is."""
    seen = [places.place(world, seed, shot.camid) for shot in shots]
    both = [
        places.illumination(place, world, seed, shot.track, shot.seconds)
        for place, shot in zip(seen, shots, strict=True)
    ]
    days, nights = [day for day, _ in both], [night for _, night in both]
    suns = np.stack([_sun(day) for day in days])
    columns = {"sun": _threes(suns[:, :3]), "sun_light": _threes(suns[:, 3:])}
    for time, lights in (("day", days), ("night", nights)):
        columns[f"{time}_above"] = _threes(np.stack([light.above for light in lights]))
        columns[f"{time}_below"] = _threes(np.stack([light.below for light in lights]))
    kinds = [_kinds(place, night) for place, night in zip(seen, nights, strict=True)]
    columns["headlight"] = pa.array([any(kind == "car" for kind, _ in row) for row in kinds])
    return columns | {"night_lights": _lights(seen, nights, kinds, boxes)}


def _sun(day: Illumination) -> Array:
    """Give the direction to the sun and its light; zeros where it does not shine."""
    for row in day.lights:
        if row[scene.LIGHT_KIND] == scene.SUN:
            to = row[scene.POSITION : scene.INTENSITY]
            return np.concatenate([to / np.linalg.norm(to), row[scene.INTENSITY : scene.LIGHT_KIND]])
    return np.zeros(6)


def _kinds(place: places.Place, night: Illumination) -> list[tuple[str, float | None]]:
    """Name the lights of a night and their temperatures: its lamps come first, then a car, then a sign."""
    known: list[tuple[str, float | None]] = [("lamp", lamp.kelvin) for lamp in place.lamps]
    for row in night.lights[len(known) :]:
        known.append(("sign", None) if row[scene.SPREAD] == 1 else ("car", lamps.HEADLIGHT_KELVIN))
    return known


def _lights(
    seen: Sequence[places.Place],
    nights: Sequence[Illumination],
    kinds: Sequence[Sequence[tuple[str, float | None]]],
    boxes: Array,
) -> pa.Array:
    """List the lights of each night: in the world, from the camera, and in the picture (null behind the camera)."""
    counts = [len(night.lights) for night in nights]
    rows = np.concatenate([night.lights for night in nights]).reshape(-1, scene.LIGHT)
    owner = np.repeat(np.arange(len(nights)), counts)
    at, box = rows[:, scene.POSITION : scene.INTENSITY], boxes[owner]
    eye, right, up, ahead = (np.stack([getattr(place.view, key) for place in seen])[owner] for key in _AXES)
    focal = np.array([place.view.focal for place in seen])[owner]
    from_eye = np.stack([((at - eye) * axis).sum(axis=1) for axis in (right, up, ahead)], axis=-1)
    behind = from_eye[:, 2] <= 0
    depth = np.where(behind, 1.0, from_eye[:, 2])
    frame_x = scene.FRAME_WIDTH / 2 + focal * from_eye[:, 0] / depth
    frame_y = scene.FRAME_HEIGHT / 2 - focal * from_eye[:, 1] / depth
    x, y = (frame_x - box[:, 0]) * box[:, 4] / box[:, 2], (frame_y - box[:, 1]) * box[:, 5] / box[:, 3]
    flat = [light for row in kinds for light in row]
    fields = {
        "kind": pa.array([kind for kind, _ in flat], pa.string()),
        "kelvin": pa.array([kelvin for _, kelvin in flat], pa.float64()),
        "position": _threes(at),
        "from_camera": _threes(from_eye),  # to the right, up, ahead; metres
        "intensity": _threes(rows[:, scene.INTENSITY : scene.LIGHT_KIND]),
        **{key: pa.array(values, mask=behind) for key, values in zip(_SEEN, (frame_x, frame_y, x, y), strict=True)},
        "in_frame": pa.array(~behind & _within(frame_x, scene.FRAME_WIDTH) & _within(frame_y, scene.FRAME_HEIGHT)),
        "in_picture": pa.array(~behind & _within(x, box[:, 4]) & _within(y, box[:, 5])),
    }
    structs = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *counts]), pa.int32()), structs)


_AXES = ("eye", "right", "up", "forward")
_SEEN = ("frame_x", "frame_y", "picture_x", "picture_y")


def _within(values: Array, end: Array | float) -> NDArray[np.bool_]:
    return (values >= 0) & (values < end)


def _threes(values: Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(values), pa.float64()), 3)


@lru_cache(maxsize=4096)
def _described(who: Person) -> str:
    """Put a person's clothes into words."""
    said = {"top": who.top, "sleeves": who.sleeves, "top colour": colour(who.top_colour), "pattern": who.pattern}
    said |= {"second colour": colour(who.second_colour)} if who.pattern != "plain" else {}
    said |= {"bottom": who.bottom, "bottom colour": colour(who.bottom_colour), "shoes": colour(who.shoe_colour)}
    said |= {"hat": who.hat, "bag": who.bag}
    said |= {"hat colour": colour(who.hat_colour)} if who.hat != "none" else {}
    said |= {"bag colour": colour(who.bag_colour)} if who.bag != "none" else {}
    said |= {"hair": who.hair_style, "glasses": "yes" if who.glasses else "no"}
    return "; ".join(f"{key}: {value}" for key, value in said.items())


def colour(albedo: Colour) -> str:
    """Name a cloth's colour: the nearest one of the palette, in logarithm as the eye sees."""
    names = list(PALETTE)
    return names[int(np.abs(_PALETTE - np.log(albedo)).sum(axis=1).argmin())]


_PALETTE = np.log([albedo for albedo, _ in PALETTE.values()])
