"""The plan of a night of frames: the same stages and draws as for crops, by camera, by clip and by frame."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from synthesis.night import chain
from synthesis.night.block import Plan
from synthesis.night.chain import Surveys
from synthesis.night.columns import VERSION, Facts
from synthesis.night.config import Night
from synthesis.night.frames import geometry
from synthesis.night.frames.config import Config
from synthesis.night.frames.find import Clip
from synthesis.night.frames.geometry import Geometry
from synthesis.night.frames.ground import LAMPS

SINGLE = ("shading", "scale", "codec")  # stages that are about one crop by itself
# What changes from frame to frame; the rest stays for a clip, or for a camera.
BY_FRAME = ("noise_x", "noise_y", "noise_flip", "row_offset", "read_x", "read_y", "read_frame", "grain_key")
DRAWN_BY_FRAME = ("noise", "grain")  # the stages whose columns these are
BY_CLIP = ("level", "anchor", "target", "stops", "noise_share", "glare")  # glare follows the exposure
FOOT, UNITS = 2.0, 4.0  # a crop's own units: its foot, and its height

Columns = dict[str, NDArray[Any]]
_NUMBERS = ("camid", "width", "height", "x", "y", "w", "h", "timestamp", "lightness")


def settings(night: Night) -> Config:
    """Give the settings of frames that a night has."""
    found = getattr(night.shape, "frames", None)
    return found if isinstance(found, Config) else Config()


def reduced(night: Night) -> Night:
    """Take the stages out that are about one crop by itself."""
    modules = {name: module for name, module in night.modules.items() if name not in SINGLE}
    return replace(night, modules=modules, settings={name: night.settings[name] for name in modules})


def plan(night: Night, seed: int, parents: Manifest, clips: Sequence[Clip], surveys: Surveys | None = None) -> Columns:
    """Plan every row of the parents: one light, one sensor and one codec a camera, one exposure a clip."""
    night = reduced(night)
    _refuse(night)
    surveys = chain.survey(night, Facts.of(parents)) if surveys is None else surveys
    cameras = {clip.camera: clip for clip in reversed(clips)}
    by_camera = _drawn(night, seed, list(cameras.values()), [f"camera\n{name}" for name in cameras], surveys)
    by_camera |= _own(night, seed, list(cameras)) | _seen(night, seed, cameras, clips, by_camera)
    names = [f"{clip.of}\nclip\n{clip.name}" for clip in clips]
    by_clip = _drawn(night, seed, clips, names, surveys)
    places = {name: place for place, name in enumerate(cameras)}
    columns = chain.rows(by_camera, [places[clip.camera] for clip in clips])
    columns |= {name: by_clip[name] for name in BY_CLIP if name in by_clip}
    columns["frame_key"] = (
        keyed.bits(seed, keyed.keys([f"{VERSION}\n{name}" for name in names]), "frames.frame") >> 1
    ).astype(np.int64)
    made = [_of_rows(night, clip, chain.rows(columns, [place]), surveys) for place, clip in enumerate(clips)]
    rank = np.argsort(np.concatenate([clip.rows for clip in clips]))
    return {name: np.concatenate([part[name] for part in made])[rank] for name in made[0]}


def _refuse(night: Night) -> None:
    steps = getattr(night.settings.get("exposure"), "steps", (0.0,))
    if night.shape.draws > 1 or tuple(steps) != (0.0,):
        said = f"draws = {night.shape.draws}, exposure.steps = {list(steps)}"
        raise UserError(
            f"night {night.name} with --frames: {said}; of frames one night is made: draws = 1, steps = [0]"
        )


def facts(names: Sequence[str], sources: Sequence[str], numbers: Mapping[str, NDArray[np.float64]]) -> Facts:
    """Make facts of things that are no rows; numbers that are not given are not known."""
    none, zeros = np.full(len(names), np.nan), np.zeros(len(names), np.int64)
    known = {name: numbers.get(name, none) for name in _NUMBERS}
    return Facts(tuple(names), tuple(sources), known, zeros, zeros)


def _drawn(night: Night, seed: int, clips: Sequence[Clip], names: Sequence[str], surveys: Surveys) -> Columns:
    known = {"camid": [clip.camid for clip in clips], "timestamp": [clip.timestamp for clip in clips]}
    numbers = {name: np.array(values, np.float64) for name, values in known.items()}
    return chain.plan(night, seed, facts(names, [clip.of for clip in clips], numbers), surveys)


def _own(night: Night, seed: int, cameras: Sequence[str]) -> Columns:
    """Draw what only frames have: codec, denoiser, and the noise that stays in its place."""
    config, keys = settings(night), keyed.keys([f"{VERSION}\ncamera\n{name}" for name in cameras])

    def between(name: str, low: float, high: float) -> NDArray[np.float64]:
        return low + (high - low) * keyed.uniform(seed, keys, f"frames.{name}")

    low, high = config.crf
    on = keyed.uniform(seed, keys, "frames.denoised") < config.denoised
    return {
        "crf": np.floor(between("crf", low, high + 1)).astype(np.int32),
        "denoise": np.where(on, between("blend", *config.blend), 0.0).astype(np.float32),
        "pattern": np.full(len(cameras), config.pattern, np.float32),
        "pattern_x": (2**20 * between("pattern_x", 0, 1)).astype(np.int32),
        "pattern_y": (2**20 * between("pattern_y", 0, 1)).astype(np.int32),
        "blur": np.zeros(len(cameras), np.float32),  # a street does not move; who does is not told apart from it
        "corrected": np.zeros(len(cameras), np.bool_),  # what follows the light slowly is not corrected at once
    }


def _seen(night: Night, seed: int, cameras: Mapping[str, Clip], clips: Sequence[Clip], drawn: Plan) -> Columns:
    """Fit every camera's geometry, and hang its lamps in its own space."""
    config = settings(night)
    views, middles = [], []
    for name, one in cameras.items():
        boxes = np.concatenate([clip.boxes for clip in clips if clip.camera == name])
        view = geometry.fit(boxes, one.width, one.height, config)
        views.append(view)
        middles.append(np.median(view.feet(boxes), axis=0))
    columns: Columns = {
        "horizon": np.array([view.horizon for view in views], np.float32),
        "camera_height": np.array([view.height for view in views], np.float32),
        "focal": np.array([view.focal for view in views], np.float32),
        "centre": np.array([view.centre for view in views], np.float32),
    }
    if "lamps" in night.modules:
        columns |= _hung(night, seed, list(cameras), np.array(middles), drawn)
        columns |= _dazzling(views, list(cameras.values()), columns, drawn) if "glare" in night.modules else {}
    return columns


def _dazzling(views: Sequence[Geometry], clips: Sequence[Clip], hung: Plan, drawn: Plan) -> Columns:
    """Put glare where the first lamp is, if the frame shows it."""
    x, y = drawn["glare_x"].copy(), drawn["glare_y"].copy()
    for place, (view, clip) in enumerate(zip(views, clips, strict=True)):
        lamp = np.array([[hung[f"lamp1_at_{axis}"][place] for axis in "xyz"]], np.float64)
        column, row = (view.seen(lamp)[0] / [clip.width, clip.height]).tolist()
        if 0 <= column < 1 and 0 <= row < 1:
            x[place], y[place] = column, row
    return {"glare_x": x, "glare_y": y}


def _hung(night: Night, seed: int, cameras: Sequence[str], middles: NDArray[np.float64], drawn: Plan) -> Columns:
    """Turn lamps around a usual place of people, in a crop's units, into lamps around where people are, in metres."""
    unit = _unit(night)
    keys = keyed.keys([f"{VERSION}\ncamera\n{name}" for name in cameras])
    columns: Columns = {}
    for lamp in LAMPS:
        beyond = keyed.uniform(seed, keys, f"frames.lamp{lamp}.behind") < settings(night).behind
        ahead = np.where(beyond, 1.0, -1.0) * drawn[f"lamp{lamp}_z"] / unit
        columns[f"lamp{lamp}_at_x"] = (middles[:, 0] + drawn[f"lamp{lamp}_x"] / unit).astype(np.float32)
        columns[f"lamp{lamp}_at_y"] = np.maximum((FOOT - drawn[f"lamp{lamp}_y"]) / unit, 0.1).astype(np.float32)
        columns[f"lamp{lamp}_at_z"] = (middles[:, 2] + ahead).astype(np.float32)
    return columns


def _unit(night: Night) -> float:
    """Give a crop's units to the metre."""
    return UNITS / float(getattr(night.settings["lamps"], "tall", FOOT))


def view(row: Plan) -> Geometry:
    """Take the geometry of the first of some rows of the plan."""
    return Geometry(*(float(row[name][0]) for name in ("horizon", "camera_height", "focal", "centre")))


def by_frame(night: Night, row: Plan, frames: NDArray[np.int64], surveys: Surveys) -> Columns:
    """Draw what changes from frame to frame: a function of the clip's key and the frame's number."""
    zeros = np.zeros(len(frames))
    # Dark frames are cut where a picture was in its frame: this is the frame itself.
    of_frames = facts([str(frame) for frame in frames.tolist()], [""] * len(frames), {"x": zeros, "y": zeros})
    some = replace(night, modules={name: night.modules[name] for name in DRAWN_BY_FRAME if name in night.modules})
    drawn = chain.plan(some, int(row["frame_key"][0]), of_frames, surveys)
    return {name: drawn[name] for name in BY_FRAME if name in drawn}


def _of_rows(night: Night, clip: Clip, row: Plan, surveys: Surveys) -> Columns:
    """Give every row of a clip its columns."""
    frames, which = np.unique(clip.frames, return_inverse=True)
    made = chain.rows(row, np.zeros(len(clip.rows), np.int64))
    made |= chain.rows(by_frame(night, row, frames, surveys), which)
    return made | (_from_there(night, clip, row) if "lamps" in night.modules else {})


def _from_there(night: Night, clip: Clip, row: Plan) -> Columns:
    """Give lamps as each person sees them, in the units that they have for crops; behind somebody z is below 0."""
    unit, feet = _unit(night), view(row).feet(clip.boxes)
    columns: Columns = {}
    for lamp in LAMPS:
        x, y, z = (float(row[f"lamp{lamp}_at_{axis}"][0]) for axis in "xyz")
        columns[f"lamp{lamp}_x"] = (unit * (x - feet[:, 0])).astype(np.float32)
        columns[f"lamp{lamp}_y"] = np.full(len(feet), FOOT - unit * y, np.float32)
        columns[f"lamp{lamp}_z"] = (unit * (feet[:, 2] - z)).astype(np.float32)
    return columns
