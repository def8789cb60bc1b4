"""Crops that a COCO file describes: who, and where known camera, video, frame and box, from the keys that tools write.

A row is a picture of one person, so a picture of a whole frame is refused: its boxes must be cut out first.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from benchmark import config, durable, grammar
from benchmark.card import Card
from benchmark.config import Strict
from benchmark.console import count
from benchmark.errors import UserError, nearest
from benchmark.manifest import Manifest, build
from benchmark.tree import check_root, pictures

CARD = Card(
    title="Crops in COCO JSON",
    note="a layout, not a set: nothing is known about how many pictures there should be",
)

EXAMPLES: list[dict[str, object]] = [
    # The crop itself is an image of the file: person and camera stand in the annotation, or in its attributes.
    {"path": "crops/a.jpg", "pid": 7, "camid": 2, "place": 2, "split": "none", "query": False, "gallery": False},
    {"path": "crops/b.png", "pid": 8, "camid": 1, "frame": 40, "sequence": "3", "x": None, "time": "unknown"},
    # The image is a frame of a video, and the annotation names the crop that was cut from it.
    {
        "path": "crops/c.jpg",
        "pid": 7,
        "camid": 3,
        "sequence": "v2",
        "frame": 12,
        "timestamp": 0.5,
        "x": 10.0,
        "h": 80.0,
    },
    {"path": "crops/d.jpg", "pid": 8, "camid": 3, "sequence": "v2", "frame": 12, "x": 90.5, "y": 21.0, "w": 30.0},
    {"path": "crops/e.jpg", "pid": 0, "camid": 1, "query": False, "modality": "visible", "label": None},
]

ROLES = {  # split, query, gallery
    "none": ("none", False, False),
    "train": ("train", False, False),
    "val": ("val", False, False),
    "test": ("test", False, False),
    "query": ("test", True, False),
    "gallery": ("test", False, True),
}

# In this order, and each first in the annotation, then in its attributes, the image, and the image's attributes.
IDENTITIES = ("person_id", "pid", "identity_id", "identity", "track_id")
KEYS = {
    "camera": ("camera_id", "camid", "cam_id", "camera"),
    "sequence": ("video_id", "sequence"),
    "frame": ("frame_id", "frame_index", "frame"),
    "timestamp": ("timestamp",),
}
CROP = ("crop", "crop_file")  # of an annotation
KINDS: dict[str, tuple[type, ...]] = {
    **{"identity": (int, str), "camera": (int, str), "sequence": (int, str)},
    **{"frame": (int,), "timestamp": (int, float)},
}
ROUNDING = 1  # pixels by which a box may miss the edges of its crop


class Options(Strict):
    """How to read crops.

    Read are `images` (`id`, `file_name`, `width`, `height`), `annotations` (`image_id`, `bbox`, `category_id`,
    `iscrowd`, and `crop` or `crop_file` where the image is a whole frame) and `categories` (`id`, `name`). Who, in
    which camera, video and frame, and when, say these keys of an annotation, of its `attributes`, of its image, or of
    the image's `attributes`: `person_id`, `pid`, `identity_id`, `identity`, `track_id`; `camera_id`, `camid`, `cam_id`,
    `camera`; `video_id`, `sequence`; `frame_id`, `frame_index`, `frame`; `timestamp`.
    """

    files: dict[Literal["none", "train", "val", "test", "query", "gallery"], str] = Field(
        default={"none": "annotations.json"}
    )
    """The COCO file of each split or role: --set files.train=train.json --set files.query=query.json."""
    images: str = ""
    """The folder, below the root, that the file names in the COCO files start from."""
    identity: str = ""
    """The key that says who, or "category" where every person is a category (default: the first one known)."""
    category: str = "person"
    """The name of the category that is read; the others are left out with a note."""
    source: str | None = None
    """The name of the set: lower case letters, digits and . _ + - (default: made from the root folder's name)."""
    id_space: str | None = None
    """The name space of the identities, for a set that shares them with another one (default: the source)."""
    time: Literal["day", "night", "unknown"] = "unknown"
    """When all pictures were taken."""
    modality: Literal["visible", "infrared", "thermal"] = "visible"
    """What kind of light all pictures show."""
    object: Literal["person", "vehicle"] = "person"
    """What all pictures show."""
    shift_pid: int = Field(default=0, ge=0)
    """Added to every number of a person but -1: give 1 where the set prints 0 for one. The print is kept in `label`."""
    unmatched: Literal["error", "skip"] = "error"
    """What to do with pictures under the root that no COCO file describes, or that have no annotation."""


class _Described(BaseModel):
    """What a COCO file holds; keys of one's own are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)


class _Image(_Described):
    id: int | str
    file_name: str
    width: float | None = None
    height: float | None = None
    attributes: dict[str, Any] = Field(default={})


class _Annotation(_Described):
    image_id: int | str
    bbox: tuple[float, float, float, float] | None = None
    category_id: int | str | None = None
    iscrowd: int = 0
    attributes: dict[str, Any] = Field(default={})


class _Category(_Described):
    id: int | str
    name: str


class _Coco(_Described):
    images: list[_Image]
    annotations: list[_Annotation] = Field(default=[])
    categories: list[_Category] = Field(default=[])


class Crop(NamedTuple):
    """One picture of one person, as a COCO file describes it."""

    path: str
    identity: int | str
    camera: int | str | None
    sequence: str | None
    frame: int | None
    timestamp: float | None
    box: tuple[float, float, float, float] | None  # in the frame


def example_files() -> dict[str, bytes]:
    """Give the files that the examples need beside the pictures."""
    frame = {"id": 3, "file_name": "frames/12.jpg", "width": 640, "height": 480, "camera_id": 3, "video_id": "v2"}
    images = [
        {"id": 1, "file_name": "crops/a.jpg", "width": 40, "height": 90},
        {"id": 2, "file_name": "crops/b.png", "width": 40, "height": 90, "attributes": {"camid": 1, "frame": 40}},
        frame | {"frame_id": 12, "timestamp": 0.5},
        {"id": 4, "file_name": "crops/e.jpg", "pid": 0, "camera": 1},
    ]
    boxes = [
        {"image_id": 1, "bbox": [0, 0, 40, 90], "person_id": 7, "camera_id": 2},
        {"image_id": 2, "attributes": {"pid": 8, "video_id": 3}},
        {"image_id": 3, "bbox": [10, 20, 30, 80], "person_id": 7, "crop": "crops/c.jpg"},
        {"image_id": 3, "bbox": [90.5, 21, 30, 80], "person_id": 8, "crop": "crops/d.jpg"},
    ]
    numbered = [{"id": number, "category_id": 1} | box for number, box in enumerate(boxes, 1)]
    record = {"images": images, "annotations": numbered, "categories": [{"id": 1, "name": "person"}]}
    return {"annotations.json": json.dumps(record).encode()}


def read(root: Path, options: Options) -> Manifest:
    """Read the COCO files, and compare what they describe with the pictures under the root."""
    _check_files(root, options)
    crops: dict[str, Crop] = {}
    roles: dict[str, list[str]] = {}
    frames: set[str] = set()
    notes: list[str] = []
    for role, file in sorted(options.files.items()):
        found = _File(root, file, options)
        for crop in found.crops():
            if crops.setdefault(crop.path, crop) != crop:
                raise UserError(f"{root}: {crop.path} is described in two ways, the second in {file}")
            if role in roles.setdefault(crop.path, []):
                raise UserError(f"{root}: {crop.path} is described twice in {file}; must be one person's crop")
            roles[crop.path].append(role)
        frames |= found.frames
        notes += found.notes
    notes += _compare(root, crops, frames, options)
    kept = [crops[path] for path in sorted(crops)]
    columns = _columns(root, kept, options, notes) | _roles(root, [(crop.path, roles[crop.path]) for crop in kept])
    source = options.source or grammar.source_name(root)
    columns |= {name: [getattr(options, name)] * len(kept) for name in ("time", "modality", "object")}
    columns["id_space"] = [options.id_space or source] * len(kept)
    return build(columns, source, root, notes)


def _check_files(root: Path, options: Options) -> None:
    check_root(root)
    if not options.files:
        raise UserError("files = {}: must name a COCO file, such as --set files.train=train.json")
    absent = [file for file in options.files.values() if not (root / file).is_file()]
    if absent:
        near = grammar.nearby(root, lambda place: all((place / file).is_file() for file in options.files.values()))
        raise UserError(f"{root}: must hold {', '.join(absent)}{near}; --set files.train=FILE names another one")


class _File:
    """One COCO file: its images, and the annotations of each that are wanted."""

    def __init__(self, root: Path, file: str, options: Options) -> None:
        self.name, self.options = str(root / file), options
        coco = config.check(_Coco, durable.read_json(root / file), self.name)
        self.images, self.categories = coco.images, {one.id: one.name for one in coco.categories}
        self.boxes: dict[int | str, list[_Annotation]] = {image.id: [] for image in coco.images}
        if len(self.boxes) < len(coco.images):
            raise UserError(f"{self.name}: two images have one `id`")
        self.notes: list[str] = []
        self.frames: set[str] = set()  # pictures of whole frames, whose crops are files of their own
        self._sort(coco.annotations)

    def _sort(self, annotations: Sequence[_Annotation]) -> None:
        """Put the annotations of the wanted category to their images."""
        names, wanted, left_out = self.categories, self.options.category, 0
        every = not names or self.options.identity == "category"
        if not every and wanted not in names.values():
            raise UserError(f"{self.name}: no category {wanted!r}; {nearest(wanted, sorted(names.values()))}")
        for box in annotations:
            if box.image_id not in self.boxes:
                raise UserError(f"{self.name}: an annotation is of image {box.image_id!r}, which is not there")
            if every or self._category(box) == wanted:
                self.boxes[box.image_id].append(box)
            else:
                left_out += 1
        if left_out:
            self.notes.append(f"{self.name}: {count(left_out, 'annotation')} of other categories left out")

    def _category(self, box: _Annotation) -> str | None:
        return None if box.category_id is None else self.categories.get(box.category_id)

    def crops(self) -> Iterator[Crop]:
        """Give every picture of one person; an image is one, or its annotations name those cut from it."""
        folder = f"{self.options.images}/" if self.options.images else ""
        for image in self.images:
            boxes = self.boxes[image.id]
            people: list[_Annotation | None] = [*boxes] or [None]
            for box in people:
                cut = _first([_keys(box)], CROP)
                if cut is None:
                    self._refuse_frame(image, boxes)
                else:
                    self.frames.add(folder + image.file_name)
                yield self._crop(folder + str(cut or image.file_name), image, box, cut=cut is not None)

    def _refuse_frame(self, image: _Image, boxes: Sequence[_Annotation]) -> None:
        """Refuse a picture that shows more than its one person's box."""
        box, said = boxes[0].bbox if boxes else None, ""
        if len(boxes) > 1:
            said = f"holds {len(boxes)} people"
        elif box:
            right, bottom = image.width or box[0] + box[2], image.height or box[1] + box[3]
            if max(box[0], box[1], right - box[0] - box[2], bottom - box[1] - box[3]) > ROUNDING:
                said = f"is {right:g} x {bottom:g} and its box {box[2]:g} x {box[3]:g}"
        if said:
            hint = "cut the boxes out, and name each one's file in its annotation's `crop`"
            raise UserError(f"{self.name}: {image.file_name} {said}, must be a crop of one person; {hint}")

    def _crop(self, path: str, image: _Image, box: _Annotation | None, *, cut: bool) -> Crop:
        places = [_keys(box), box.attributes if box else {}, _keys(image), image.attributes]
        told = {name: _first(places, keys) for name, keys in KEYS.items()}
        told["identity"] = self._identity(places, box, told["sequence"])
        for name, value in told.items():
            if value is not None and (not isinstance(value, KINDS[name]) or isinstance(value, bool)):
                allowed = " or ".join(kind.__name__ for kind in KINDS[name])
                raise UserError(f"{self.name}: {path}: {name} is {value!r}, must be of type {allowed}")
        if told["identity"] is None:
            known = ", ".join([self.options.identity] if self.options.identity else IDENTITIES)
            raise UserError(f"{self.name}: {path} has no identity; looked for {known} (--set identity=KEY or category)")
        told["sequence"] = None if told["sequence"] is None else str(told["sequence"])
        return Crop(path, **told, box=box.bbox if box and cut else None)

    def _identity(self, places: Sequence[Mapping[str, Any]], box: _Annotation | None, sequence: object) -> object:
        """Find who is in a picture; a track is a person of its own video only."""
        if box is not None and box.iscrowd:
            return -1
        if self.options.identity == "category":
            return self._category(box) if box else None
        keys = [self.options.identity] if self.options.identity else IDENTITIES
        found = next((key for key in keys if _first(places, [key]) is not None), None)
        who = _first(places, [found] if found else [])
        return f"{sequence}/{who}" if found == "track_id" and sequence is not None else who


def _keys(described: _Described | None) -> Mapping[str, Any]:
    return (described.model_extra or {}) if described else {}


def _first(places: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Find the first key that says something."""
    return next((place[key] for key in keys for place in places if place.get(key) is not None), None)


def _compare(root: Path, crops: Collection[str], frames: Collection[str], options: Options) -> list[str]:
    """Refuse pictures that are not there, or that nothing describes."""
    listing = pictures(root)
    grammar.refuse_equal_but_for_case(root, listing.pictures)
    grammar.require(root, "COCO", crops, listing.pictures)
    notes = grammar.tree_notes(listing, [root / file for file in options.files.values()])
    whole = [path for path in listing.pictures if path in frames and path not in crops]
    if whole:
        notes.append(f"{count(len(whole), 'picture')} of whole frames left out: {grammar.shown(whole)}")
    strange = [path for path in listing.pictures if path not in crops and path not in frames]
    if strange:
        text = f"{len(strange)} of {len(listing.pictures)} pictures are in no COCO file: {grammar.shown(strange)}"
        if options.unmatched == "error":
            raise UserError(f"{root}: {text}; --set unmatched=skip skips them")
        notes.append(f"skipped: {text}")
    return notes


def _columns(root: Path, crops: Sequence[Crop], options: Options, notes: list[str]) -> dict[str, object]:
    """Turn the crops into columns of a manifest."""
    if not crops:
        raise UserError(f"{root}: no picture is described in {', '.join(options.files.values())}")
    people = _numbered(root, "identity", [crop.identity for crop in crops])
    shift = options.shift_pid if people == [crop.identity for crop in crops] else 0
    columns: dict[str, object] = {"path": [crop.path for crop in crops]}
    columns["pid"] = [pid if pid == -1 else pid + shift for pid in people]
    if shift or people != [crop.identity for crop in crops]:
        columns["label"] = [str(crop.identity) for crop in crops]
    cameras = [crop.camera or 0 for crop in crops]
    columns["camid"] = _numbered(root, "camera", cameras)
    names = sorted({camera for camera in cameras if isinstance(camera, str)})
    if names:
        notes.append("cameras: " + ", ".join(f"{number} is {name}" for number, name in enumerate(names, 1)))
    columns |= {name: [getattr(crop, name) for crop in crops] for name in ("sequence", "frame", "timestamp")}
    columns |= {name: [crop.box and crop.box[place] for crop in crops] for place, name in enumerate("xywh")}
    return columns


def _numbered(root: Path, what: str, values: Sequence[int | str]) -> list[int]:
    """Take numbers as they are, and number texts from 1 in sorted order; 0 and -1 keep their meaning among texts."""
    texts = sorted({value for value in values if isinstance(value, str)})
    plain = sorted({value for value in values if isinstance(value, int)} - {0, -1})
    if texts and plain:
        raise UserError(
            f"{root}: {what} is a number, such as {plain[0]}, and a text, such as {texts[0]!r}; must be one"
        )
    number = {text: place for place, text in enumerate(texts, 1)}
    return [number[value] if isinstance(value, str) else value for value in values]


def _roles(root: Path, roles: Sequence[tuple[str, Sequence[str]]]) -> dict[str, object]:
    """Say what the files that describe a picture make of it: it may be query and gallery, but in one split only."""
    for path, words in roles:
        splits = {ROLES[word][0] for word in words}
        if len(splits) > 1:
            raise UserError(f"{root}: {path} is in the files of {' and '.join(sorted(words))}, must be in one split")
    return {
        "split": [ROLES[words[0]][0] for _, words in roles],
        "query": [any(ROLES[word][1] for word in words) for _, words in roles],
        "gallery": [any(ROLES[word][2] for word in words) for _, words in roles],
    }
