"""Hand every picture to a translator of your own, learned or not: `call` names a function, image to image.

It gets 8-bit RGB, height x width x 3, and gives the same back. What it does to the labels is for its owner to know.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmark import durable
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.images import Picture
from synthesis.night.block import Block, Plan
from synthesis.night.columns import Columns, Facts

Translator = Callable[[Picture], Picture]
TAKES = "pictures"
COLUMNS: dict[str, str] = {}


class Config(Strict):
    """Which translator."""

    call: str = Field("", pattern=r"^(\w+(\.\w+)*:\w+)?$")
    """Where the function is, such as lab.translator:night for `night` in lab/translator.py."""
    version: str = Field("", max_length=200)
    """What is to be recorded of it, such as the name and the hash of its weights."""


def survey(config: Config, facts: Facts) -> dict[str, Any]:
    """Put down which code it is."""
    load(config.call)
    return {"sha256": _code(config.call)}


def plan(columns: Columns) -> Mapping[str, NDArray[Any]]:
    """Draw nothing."""
    return {}


def ready(config: Config, survey: Mapping[str, Any] | None) -> "Translation":
    """Load the translator; it must be the one that the survey saw."""
    translation = Translation(config.call, load(config.call))
    if survey and survey["sha256"] != _code(config.call):
        raise UserError(f"translate.call = {config.call}: its module is not the one that this night was begun with")
    return translation


def apply(block: Block, plan: Plan) -> None:
    """Refuse: which translator there is only `ready` knows."""
    raise UserError("stage translate works only after `ready` has loaded its translator")


@dataclass(frozen=True)
class Translation:
    """A translator that is loaded."""

    call: str
    translator: Translator

    def apply(self, block: Block, plan: Plan) -> None:
        """Translate every picture."""
        block.pictures = [self._checked(picture, self._translated(picture)) for picture in block.pictures]

    def _translated(self, picture: Picture) -> object:
        try:
            return self.translator(picture)
        except Exception as error:  # anybody's code, so any error
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise UserError(f"translate: {self.call} failed on a picture of shape {picture.shape}: {said}") from error

    def _checked(self, picture: Picture, made: object) -> Picture:
        if not isinstance(made, np.ndarray):
            raise UserError(f"translate: {self.call} gave a {type(made).__name__}, must give a numpy array")
        if made.dtype != np.uint8 or made.shape != picture.shape:
            found, wanted = f"{made.dtype} of shape {made.shape}", f"uint8 of shape {picture.shape}"
            raise UserError(f"translate: {self.call} gave {found}, must give {wanted}")
        return np.ascontiguousarray(made)


def _code(call: str) -> str | None:
    """Hash the module's file; what is built into Python has none."""
    file = importlib.import_module(call.partition(":")[0]).__file__
    return durable.sha256(durable.read_bytes(Path(file))) if file else None


@lru_cache(maxsize=8)
def load(call: str) -> Translator:
    """Import a translator, once a process: its weights are read when it is."""
    module, _, name = call.partition(":")
    if not name:
        raise UserError("translate.call names no function; write it as lab.translator:night")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        # A module that is there but lacks something of its own is its author's fault, and wants its traceback.
        if error.name and (module + ".").startswith(error.name + "."):
            raise UserError(f"translate.call = {call}: no module is called {module!r} here or on PYTHONPATH") from None
        raise
    if not callable(found):
        raise UserError(f"translate.call = {call}: {module} has no function {name!r}")
    translator: Translator = found
    return translator
