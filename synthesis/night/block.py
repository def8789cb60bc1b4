"""Some pictures of one size on their way from day to night."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.images import Picture
from synthesis.night.columns import Columns

Light = NDArray[
    np.float32
]  # pictures x 3 x height x width: linear light, planes of red, green and blue; 1 is full scale
Plan = Mapping[str, NDArray[Any]]  # columns of the plan, an entry a picture of the block


class Stage(Protocol):
    """What a file of `stages` offers, beside `Config` (a Strict model) and COLUMNS (what its columns mean).

    Where it needs them, also: `survey`, which looks at the whole set once; `ready`, which reads what it works with;
    LOCAL, if it looks at neighbours only; TAKES and GIVES, what it works on and leaves ("pictures", "light", "codes",
    "files"); BEFORE, the stages that it comes before, and NEEDS, those that there must be.
    """

    def plan(self, columns: Columns) -> Mapping[str, NDArray[Any]]:
        """Draw this stage's columns for many pictures at once: a function of (seed, scope, name) and of settings."""

    def apply(self, block: "Block", plan: Plan) -> None:
        """Do to the block what its rows of the plan say."""


@dataclass
class Block:
    """Pictures of one size, as many as are developed at once; every stage changes what it is about."""

    pictures: list[Picture]  # 8 bits: the day, and from the tone curve on the night
    light: Light | None = None  # from `linearise` on
    illumination: NDArray[np.float32] | None = None  # pictures x 3 x rows x columns: the lamps' light, mean 1
    codes: NDArray[Any] | None = None  # from `quantise` on, as `light`: uint8 of the root, or uint16 of the light
    files: list[bytes] = field(default_factory=list)  # from `codec` on
    solved: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # what stages found: gain, ev, digital, ...
    later: Sequence[Stage] = ()  # stages that come after the one at work

    def __len__(self) -> int:
        return len(self.pictures)
