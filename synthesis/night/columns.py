"""What a stage plans with: named draws, and what is known of the pictures; never who is on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmark import keyed
from benchmark.manifest import Manifest

VERSION = "night/1"  # of the chain: part of every key, so another version draws other numbers
HOUR = 3600.0  # seconds for which a camera's lamps, white balance and noise stay what they are
# Different lights that a camera has. An hour, a sequence or a picture by itself has one of them. Few, so that many
# people share each: whoever is alone in his hour is told from the rest by three bits and no more. Yet more than one, so
# that a set of six cameras is not six draws.
LIGHTS = 8

Floats = NDArray[np.float64]
_NUMBERS = ("camid", "width", "height", "x", "y", "w", "h", "timestamp", "lightness")


@dataclass(frozen=True)
class Facts:
    """What a plan may know of pictures. Identities are left out, so that nothing can depend on them."""

    image_id: tuple[str, ...]
    source: tuple[str, ...]
    numbers: Mapping[str, Floats]  # camid, width, height, x, y, w, h, timestamp, lightness; NaN where not known
    draw: NDArray[np.int64]  # 0, or more where a night asks for several draws of a picture
    step: NDArray[np.int64]  # of a ladder of exposures; all steps of a picture share one draw
    sequence: tuple[str | None, ...] = ()  # none: not known of any

    @classmethod
    def of(cls, parents: Manifest) -> "Facts":
        """Read the facts of a manifest's rows, one draw and one step each."""
        table, zeros = parents.table, np.zeros(len(parents), np.int64)
        numbers = {name: np.array(table[name].to_numpy(), np.float64) for name in _NUMBERS}
        names, sources, sequences = (tuple(table[name].to_pylist()) for name in ("image_id", "source", "sequence"))
        return cls(names, sources, numbers, zeros, zeros, sequences)

    def __len__(self) -> int:
        return len(self.image_id)

    def select(self, rows: NDArray[np.int64]) -> "Facts":
        """Take some rows, in the order given, as often as given."""
        numbers = {name: values[rows] for name, values in self.numbers.items()}
        texts = (self.image_id, self.source, self.sequence)
        names, sources, sequences = (tuple(column[row] for row in rows.tolist()) if column else () for column in texts)
        return Facts(names, sources, numbers, self.draw[rows], self.step[rows], sequences)

    def with_draws(self, draw: NDArray[np.int64], step: NDArray[np.int64]) -> "Facts":
        """Give every row a draw and a step."""
        return replace(self, draw=draw, step=step)

    @cached_property
    def keys(self) -> Mapping[str, keyed.Words]:
        """Key every row by picture and by camera; without a camera's number a picture stands for itself."""
        images = [f"{VERSION}\n{name}\n{draw}" for name, draw in zip(self.image_id, self.draw.tolist(), strict=True)]
        cameras = [
            f"{VERSION}\ncamera\n{light}\n{draw}" if light else image
            for image, light, draw in zip(images, self.lights, self.draw.tolist(), strict=True)
        ]
        words = {text: keyed.key(text) for text in dict.fromkeys(cameras)}
        return {"image": keyed.keys(images), "camera": np.array([words[text] for text in cameras], np.uint64)}

    @cached_property
    def lights(self) -> tuple[str, ...]:
        """Name every row's camera and which of its lights it has; empty where no camera is known."""
        times = self.numbers["timestamp"]
        hours = np.floor(np.nan_to_num(times) / HOUR).tolist()
        others = self.sequence or (None,) * len(self)
        named = zip(self.source, self.numbers["camid"].tolist(), strict=True)
        cameras = [f"{source}\n{camid:.0f}" if camid > 0 else "" for source, camid in named]
        spans = [
            f"hour {hour:.0f}" if known else f"sequence {other}" if other is not None else name
            for known, hour, other, name in zip(np.isfinite(times).tolist(), hours, others, self.image_id, strict=True)
        ]
        pairs = list(zip(cameras, spans, strict=True))
        light = {
            pair: int(keyed.key(f"{VERSION}\nlight\n{pair[0]}\n{pair[1]}")) % LIGHTS for pair in dict.fromkeys(pairs)
        }
        return tuple(f"{camera}\n{light[camera, span]}" if camera else "" for camera, span in pairs)

    @property
    def blocks(self) -> int:
        """Count the different lights that cameras have in these pictures."""
        return len(set(self.keys["camera"].tolist()))


@dataclass(frozen=True)
class Columns:
    """The draws of one stage. A name always means the same number for a picture, whatever else is drawn."""

    stage: str
    config: Any  # the stage's own settings
    facts: Facts
    seed: int
    exact: bool = False  # quality = "exact"
    survey: Mapping[str, Any] | None = None  # what the stage's `survey` found in the whole set
    planned: Mapping[str, NDArray[Any]] | None = None  # columns of the stages before this one

    def __len__(self) -> int:
        return len(self.facts)

    def uniform(self, name: str, scope: str = "image") -> Floats:
        """Draw from [0, 1): one number a picture, or with scope "camera" one for each of a camera's lights."""
        return keyed.uniform(self.seed, self.facts.keys[scope], f"{self.stage}.{name}")

    def between(self, name: str, low: float, high: float, scope: str = "image") -> Floats:
        """Draw from [low, high), all alike likely."""
        return low + (high - low) * self.uniform(name, scope)

    def normal(self, name: str, scope: str = "image") -> Floats:
        """Draw from the standard normal distribution."""
        normal: Floats = ndtri(self.uniform(name, scope) + 2.0**-25)
        return normal

    def chance(self, name: str, share: float, scope: str = "image") -> NDArray[np.bool_]:
        """Draw yes with a probability."""
        return np.asarray(self.uniform(name, scope) < share)

    def pick(self, name: str, odds: Sequence[float], scope: str = "image") -> NDArray[np.int64]:
        """Draw a position by its odds, which need not sum to 1."""
        bounds = np.cumsum(odds)
        drawn = np.searchsorted(bounds, self.uniform(name, scope) * bounds[-1], side="right")
        return np.asarray(np.minimum(drawn, len(odds) - 1), np.int64)
