"""A recipe: everything that shapes a training, as data. Imports no torch, so that `luxreid` can read one at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from benchmark import config
from benchmark.config import Strict
from benchmark.protocol import Filter

_Share = Annotated[float, Field(ge=0, le=1)]
_Side = Annotated[int, Field(ge=8, le=2048)]
_Count = Annotated[int, Field(ge=1, le=100_000)]


def _refusal(what: str) -> PydanticCustomError:
    return PydanticCustomError("impossible", "{what}", {"what": what})


class Twins(Strict):
    """Synthetic nights of a part's daytime pictures."""

    data: str
    """The set whose `parent` names the part's pictures."""
    probability: _Share = 0.5
    """How often a picture that has twins is replaced by one of them."""


class Part(Strict):
    """One of the sets that are trained on: a domain, with a head of its own."""

    data: str
    """Its name; `--data NAME=MANIFEST` or luxreid.toml says which manifest that is."""
    name: str = ""
    """The domain's name; default: the data's."""
    rows: Filter | None = None
    """Which rows, as a protocol writes it; default: [train] of the recipe's protocol."""
    twins: Twins | None = None
    """Synthetic nights that are shown in place of the part's pictures."""
    parents: str = ""
    """The set that holds the daytime pictures which the part's synthetic ones were made from: the view `parent`."""


class Order(Strict):
    """How the batches of several parts follow each other."""

    how: Literal["mix", "alternate", "pretrain-finetune"] = "mix"
    """`mix`: one batch holds all; `alternate`: each batch is of one part, in turn; `pretrain-finetune`: one part after
    the other."""
    by: Literal["iteration", "epoch"] = "iteration"
    """What is alternated."""
    counts: tuple[_Count, ...] = ()
    """How many iterations or epochs of each part in turn (default: one each); of `pretrain-finetune`: the epochs of
    every part but the last, which has the rest."""


class Batches(Strict):
    """How batches are drawn; what is not said is as the method asks."""

    identities: _Count | None = None
    """P."""
    instances: _Count | None = None
    """K."""
    batch: _Count | None = None
    """Rows of a batch where the method wants them shuffled."""
    halves: Literal["modality", "time"] = "modality"
    """What parts the two halves of a method that wants pairs."""
    cameras: Literal["any", "spread"] = "any"
    """`spread`: the K pictures of an identity come from as many cameras as it has."""
    epoch: Literal["images", "identities"] = "images"
    """`images`: an identity comes as often as it has K pictures, so that an epoch is about a pass over the set (BoT);
    `identities`: every identity comes once."""


class Augment(Strict):
    """What happens to a training picture; one geometry a row, in all its views."""

    flip: _Share = 0.5
    """How often it is mirrored."""
    pad: Annotated[int, Field(ge=0, le=256)] = 10
    """Black pixels around it, of which a random window is cut."""
    erase: _Share = 0.5
    """How often a rectangle is erased."""
    erase_area: tuple[_Share, _Share] = (0.02, 0.4)
    """The rectangle's share of the picture."""
    erase_aspect: tuple[float, float] = (0.3, 3.33)
    """Its height over its width."""
    erase_fill: Literal["zero", "mean", "noise"] = "zero"
    """What is put there after normalisation: zero (the mean colour), the mean's own numbers (BoT), normal noise
    (TransReID)."""
    colour: _Share = 0.0
    """How often brightness, contrast and saturation change."""
    brightness: _Share = 0.2
    """Largest relative change."""
    contrast: _Share = 0.15
    """Largest relative change."""
    saturation: _Share = 0.2
    """Largest relative change."""
    grey: _Share = 0.0
    """How often a picture becomes grey."""
    exchange: _Share = 0.0
    """How often one channel stands for all three (CAJ)."""

    @field_validator("erase_area", "erase_aspect")
    @classmethod
    def _in_order(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not 0 < ends[0] <= ends[1]:
            raise _refusal(f"no range goes from {ends[0]:g} to {ends[1]:g}; both above 0, the smaller first")
        return ends


class Loop(Strict):
    """How it is computed; what shapes the result is recorded with it."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the device computes in it, else fp32."""
    channels_last: bool = True
    """Keep pictures and convolutions with channels last."""
    compile: Literal["no", "compile", "graphs"] = "no"
    """Compile the backbone, or replay CUDA graphs; where that fails, plain steps."""
    deterministic: bool = True
    """Only operations that give the same bits every time."""
    clip: Annotated[float, Field(ge=0)] = 0.0
    """Largest norm of the gradient; 0: no limit."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of a running mean of the weights, which is then what is kept and tested; 0: none."""
    select: Literal["last", "val"] = "last"
    """Which epoch is kept: the last, or the best on the validation split. Never one chosen on the test."""
    validation: bool = False
    """Look at the validation split now and then, and write what is seen to the log; select = "val" implies it."""
    validate_every: _Count = 10
    """Epochs between two looks at the validation split."""
    log_every: _Count = 20
    """Steps between two lines of the log."""
    save_every: Annotated[float, Field(gt=0)] = 60.0
    """Seconds of training between two checkpoints; one is written at the end of every stage as well."""
    sync_batchnorm: bool = False
    """With several processes: batch statistics over all of them."""

    @property
    def validated(self) -> bool:
        """Say whether the validation split is looked at."""
        return self.validation or self.select == "val"


class Recipe(Strict):
    """One TOML file."""

    title: str
    """What it is, in a line."""
    method: str
    """A method (luxreid list methods), or a dotted module of your own."""
    mode: Literal["paper", "released", "ours"] = "ours"
    """Whose settings these are."""
    config: dict[str, Any] = Field(default_factory=dict)
    """The method's own keys."""
    size: tuple[_Side, _Side]
    """Height and width of the pictures."""
    resample: Literal["bicubic", "bilinear", "box"] = "bicubic"
    """How they are brought to that size."""
    test: str
    """The name of the tested set."""
    protocol: str
    """How it is tested."""
    train: Annotated[tuple[Part, ...], Field(min_length=1)]
    """The sets that are trained on."""
    order: Order = Order()
    """How their batches follow each other."""
    batches: Batches = Batches()
    """How batches are drawn."""
    augment: Augment = Augment()
    """What happens to a training picture."""
    loop: Loop = Loop()
    """How it is computed."""

    @property
    def domains(self) -> tuple[str, ...]:
        """Name the domains."""
        return tuple(part.name or part.data for part in self.train)

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        if len(set(self.domains)) < len(self.domains):
            raise _refusal(f"two parts are called {max(self.domains, key=self.domains.count)!r}; give one a name")
        parts, counts = len(self.train), len(self.order.counts)
        wanted = {"mix": 0, "alternate": parts, "pretrain-finetune": parts - 1}[self.order.how]
        if counts and counts != wanted:
            takes = wanted or "none"
            raise _refusal(f"order.counts has length {counts}; {self.order.how} of {parts} parts takes {takes}")
        if self.order.how == "pretrain-finetune" and (not counts or parts < 2):
            raise _refusal(
                "pretrain-finetune needs two parts or more, and in order.counts the epochs of all but the last"
            )
        return self


def load(path: Path, sets: Sequence[str] = ()) -> Recipe:
    """Read a recipe and change it by `a.b=value` settings."""
    return config.load(Recipe, path, sets)
