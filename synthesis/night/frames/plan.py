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
TALL = 2  # times as high as wide is a crop, which glare is sized by

COLUMNS = {
    "frame_key": "key of the clip, from which what changes from frame to frame is drawn",
    "crf": "H.264's constant rate factor of the camera, 0 to 51; higher is coarser",
    "denoise": "weight of the frame before in each frame; 0: no denoiser over time",
    "pattern": "noise that stays in its place, in standard deviations of the read noise",
    "pattern_x": "where the pool of noise is cut for it, pixels from the left",
    "pattern_y": "and from the top",
    "horizon": "row of the frame at which the ground ends, pixels from the top; below 0: above the frame",
    "camera_height": "metres of the camera above the ground",
    "focal": "focal length, pixels",
    "centre": "column of the frame that is straight ahead, pixels from the left",
    **{
        f"lamp{lamp}_at_{axis}": f"place of lamp {lamp}: metres {way}"
        for lamp in LAMPS
        for axis, way in zip(
            "xyz", ("to the right of the camera", "above the ground", "ahead of the camera"), strict=True
        )
    },
    "glare_lamp": "number of the lamp that shines into the lens; 0: none is ahead of the camera",
    "glare_unit": "pixels that glare is sized by: half the usual height of a person in the frame",
    "glare_x": "where that lamp is, in frame widths from the left; off 0 to 1: out of it, and only its veil is seen",
    "glare_y": "where that lamp is, in frame heights from the top",
    "glare_pair": "from there to the right to a second, equal lamp, in glare_unit; 0: there is none",
    "glare_width": "half the width of a streak, in glare_unit",
    "glare_disc": "radius of the lamp itself, in glare_unit",
}

Columns = dict[str, NDArray[Any]]
_NUMBERS = ("camid", "width", "height", "x", "y", "w", "h", "timestamp", "lightness")


def settings(night: Night) -> Config:
    """Give the settings of frames that a night has."""
    found = getattr(night.shape, "frames", None)
    return found if isinstance(found, Config) else Config()


def reduced(night: Night) -> Night:
    """Take the stages out that are about one crop by itself."""
    if getattr(night.settings.get("scale"), "size", None) is not None:
        raise UserError(f"night {night.name} with --frames: scale.size reduces single pictures; leave it out")
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
    if "glare_lamp" in columns:
        columns["glare"] = np.where(columns["glare_lamp"] > 0, columns["glare"], np.float32(0))
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
    made: Columns = {
        "crf": np.floor(between("crf", low, high + 1)).astype(np.int32),
        "denoise": np.where(on, between("blend", *config.blend), 0.0).astype(np.float32),
        "pattern": np.full(len(cameras), config.pattern, np.float32),
        "pattern_x": (2**20 * between("pattern_x", 0, 1)).astype(np.int32),
        "pattern_y": (2**20 * between("pattern_y", 0, 1)).astype(np.int32),
    }
    if "blur" in night.modules:  # a street does not move; who does is not told apart from it
        made["blur"] = np.zeros(len(cameras), np.float32)
    if "exposure" in night.modules:  # what follows the light slowly is not corrected at once
        made["corrected"] = np.zeros(len(cameras), np.bool_)
    return made


def _seen(night: Night, seed: int, cameras: Mapping[str, Clip], clips: Sequence[Clip], drawn: Plan) -> Columns:
    """Fit every camera's geometry, and hang its lamps in its own space."""
    config = settings(night)
    views, middles, units = [], [], []
    for name, one in cameras.items():
        boxes = np.concatenate([clip.boxes for clip in clips if clip.camera == name])
        view = geometry.fit(boxes, one.width, one.height, config)
        views.append(view)
        middles.append(np.median(view.feet(boxes), axis=0))
        units.append(max(round(float(np.median(boxes[:, 3])) / TALL), 1))
    columns: Columns = {
        "horizon": np.array([view.horizon for view in views], np.float32),
        "camera_height": np.array([view.height for view in views], np.float32),
        "focal": np.array([view.focal for view in views], np.float32),
        "centre": np.array([view.centre for view in views], np.float32),
    }
    columns |= {"glare_unit": np.array(units, np.int32)} if "glare" in night.modules else {}
    if "lamps" in night.modules:
        columns |= _hung(night, seed, list(cameras), np.array(middles), drawn)
        columns |= _dazzling(views, list(cameras.values()), columns, drawn) if "glare" in night.modules else {}
    return columns


def _dazzling(views: Sequence[Geometry], clips: Sequence[Clip], hung: Plan, drawn: Plan) -> Columns:
    """Put glare where a lamp is that the frame shows, else beside the frame where one is ahead of the camera."""
    names = ("glare_x", "glare_y", "glare_pair", "glare_star", "glare_disc")
    made = {"glare_lamp": np.zeros(len(clips), np.int8)} | {name: drawn[name].copy() for name in names}
    for place, (view, clip) in enumerate(zip(views, clips, strict=True)):
        at = [[hung[f"lamp{lamp}_at_{axis}"][place] for axis in "xyz"] for lamp in LAMPS]
        seen = view.seen(np.array(at, np.float64)) / [clip.width, clip.height]
        lit = np.array([drawn[f"lamp{lamp}_intensity"][place] > 0 for lamp in LAMPS])
        ahead = lit & ~np.isnan(seen).any(axis=1)
        shown = ahead & ((seen >= 0) & (seen < 1)).all(axis=1)
        if not ahead.any():
            continue
        which = int(np.argmax(shown if shown.any() else ahead))
        made["glare_lamp"][place] = LAMPS[which]
        made["glare_x"][place], made["glare_y"][place] = seen[which]
        made["glare_pair"][place] *= which == 0  # it was drawn for the first lamp
        if not shown.any():
            made["glare_star"][place] = made["glare_disc"][place] = 0
    return made


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
