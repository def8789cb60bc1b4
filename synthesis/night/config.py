"""A night: which stages it has, in which order, and their settings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, create_model

from benchmark import config, durable
from benchmark.config import Strict
from benchmark.errors import UserError
from synthesis.night.columns import VERSION
from synthesis.night.frames.config import Config as Frames
from synthesis.night.stages import STAGES
from synthesis.nights import NIGHTS

CHAIN = (
    *("linearise", "shading", "lamps", "exposure", "glare", "blur", "noise"),
    *("colour", "quantise", "tone", "smear", "scale", "codec"),
)
CODE = "code_sha256"  # of a record, beside the keys of a night


class Shape(Strict):
    """What a night says of itself, beside a table of settings for each of its stages."""

    name: str = Field("", pattern=r"^[a-z0-9._-]*$", max_length=40)
    """What the sets are called that are made with it; its file's name where nothing is said."""
    about: str = ""
    """One sentence: what this night is for."""
    stages: tuple[str, ...] = Field(CHAIN, min_length=1)
    """The stages in their order: names of `luxreid list stages`, or dotted paths of your own."""
    quality: Literal["fast", "exact"] = "fast"
    """fast: 8-bit tone table, the stored JPEG degrades; exact: 12-bit tone, JPEG at a drawn phase, then stored well."""
    draws: int = Field(1, ge=1, le=100)
    """How many nights are made of every picture."""
    frames: Frames = Frames()
    """Settings for nights of whole frames; see `--frames`."""


@dataclass(frozen=True)
class Night:
    """A night that can be made: its stages as modules, in order, each with its settings."""

    name: str
    shape: Shape
    modules: Mapping[str, Any]  # by the last part of a stage's name
    settings: Mapping[str, Strict]

    def record(self) -> dict[str, Any]:
        """Put down all that shapes the pictures."""
        said = {"version": VERSION, **self.shape.model_dump(mode="json")}
        said |= {name: settings.model_dump(mode="json") for name, settings in self.settings.items()}
        return said | ({CODE: self.code} if self.code else {})

    @property
    def code(self) -> dict[str, str]:
        """Hash the files of stages of one's own; of luxreid's stages the chain's version tells."""
        own = [stage for stage in self.shape.stages if "." in stage]
        files = {stage: Path(self.modules[stage.rpartition(".")[2]].__file__) for stage in own}
        return {stage: durable.sha256(durable.read_bytes(file)) for stage, file in files.items()}

    @property
    def sha256(self) -> str:
        """Hash what shapes the pictures; what is said about it is not part of it."""
        record = {name: value for name, value in self.record().items() if name not in ("name", "about")}
        return durable.sha256(durable.canonical(record))


def load(night: str, sets: Sequence[str] = ()) -> Night:
    """Read a named night, or a TOML file of one's own by its path, and change it by `a.b=value` settings."""
    path = NIGHTS.path(night)
    stages = config.load(_Head, path, [text for text in sets if text.partition("=")[0].strip() == "stages"]).stages
    modules = {stage.rpartition(".")[2]: STAGES.load(stage) for stage in stages}
    if len(modules) < len(stages):
        raise UserError(f"{path}: stages = {list(stages)}: a stage, or two of one last name, cannot be there twice")
    _check_order(f"{path}: stages = {list(stages)}", modules)
    left_out = {stage.rpartition(".")[2]: STAGES.load(stage) for stage in config.load(_Head, path).stages}
    # A file may set stages that `--set stages=[...]` leaves out.
    models = {name: (module.Config, module.Config()) for name, module in (left_out | modules).items()}
    loaded = config.load(create_model("Night", __base__=Shape, **models), path, sets)  # type: ignore[call-overload]
    said = {name: getattr(loaded, name) for name in Shape.model_fields}
    shape = Shape(**said | {"name": said["name"] or re.sub(r"[^a-z0-9._-]", "-", Path(night).stem.lower())[:40]})
    return Night(shape.name, shape, modules, {name: getattr(loaded, name) for name in modules})


def _check_order(where: str, modules: Mapping[str, Any]) -> None:
    """Refuse an order in which a stage finds nothing to work on; a stage of one's own need not say what it takes."""
    reserved = {"version", CODE, *Shape.model_fields}.intersection(modules)
    if reserved:
        raise UserError(f"{where}: no stage can be called {min(reserved)!r}, which is a key of every night")
    there, done = "pictures", set[str]()
    for name, module in modules.items():
        if (takes := getattr(module, "TAKES", there)) != there:
            raise UserError(f"{where}: {name} works on {takes}, and there are {there} at its place")
        late = done.intersection(getattr(module, "BEFORE", ()))
        if late:
            raise UserError(f"{where}: {name} comes before {min(late)}")
        missing = set(getattr(module, "NEEDS", ())).difference(modules)
        if missing:
            raise UserError(f"{where}: {name} does nothing without {min(missing)}")
        there = getattr(module, "GIVES", there)
        done.add(name)
    if there not in ("pictures", "files"):
        raise UserError(f"{where}: ends with {there}; a night ends with pictures")


class _Head(Strict, extra="ignore"):
    """The one key that says which other keys there may be."""

    stages: tuple[str, ...] = Field(CHAIN, min_length=1)
