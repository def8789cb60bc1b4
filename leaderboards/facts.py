"""What whoever hands in results of a method says of it: a form where no question of fairness has a default."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

from benchmark.config import Strict

_NAME, _SENTENCE = 80, 500  # letters


def _printable(text: str) -> str:
    """Keep any letter that is seen; a line break or a mark that turns the text around would forge a table."""
    if not text.isprintable():
        odd = next(letter for letter in text if not letter.isprintable())
        raise PydanticCustomError(
            "odd", "holds {odd}, which is not printed; one line of plain text", {"odd": ascii(odd)}
        )
    if text != text.strip():
        raise PydanticCustomError("blank", "begins or ends with a blank")
    return text


def _writable(config: dict[str, Any]) -> dict[str, Any]:
    """Refuse a number that no JSON holds, and the key under which the answers stand."""
    if "submitted" in config:
        raise PydanticCustomError("taken", "the key 'submitted' is taken by the answers of this form")
    try:
        json.dumps(config, allow_nan=False)
    except ValueError:
        raise PydanticCustomError("finite", "holds a number that is not finite") from None
    return config


Name = Annotated[str, StringConstraints(min_length=1, max_length=_NAME), AfterValidator(_printable)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=_SENTENCE), AfterValidator(_printable)]


class Facts(Strict):
    """Who made it, with what, and what a reader of its row must know."""

    method: Name
    """The method's name. Submissions are counted by it."""
    contact: Sentence
    """Who answers questions: an address or a page."""
    official: bool
    """Whether the authors of the method hand it in."""
    division: Literal["closed", "open"]
    """closed: backbone, training data and input size as the baselines of the protocol have them; open: anything."""
    train_sets: tuple[Name, ...]
    """What the network was trained on, every set; [] where it was not trained."""
    pretrain_data: tuple[Name, ...]
    """What its weights came from, every set; [] where they began at random."""
    other_data: tuple[Sentence, ...]
    """What else it learnt from: texts, poses, generated pictures, other models; [] is nothing."""
    overlap_declared: bool
    """Whether any person or picture of the test lists was in any of these."""
    ckpt_selection: Literal["last", "val_best", "test_best"]
    """test_best: a checkpoint, a setting or the method itself was chosen by numbers on the test lists."""
    n_test_evals: int = Field(ge=1, le=2**31 - 1)
    """How often the method was evaluated on these lists so far, this time with it."""
    rerank: Sentence
    """How rankings were changed after vectors were compared; "none"."""
    flip_tta: bool
    """Whether a picture's vector is a mean over it and its mirror image."""

    method_version: Name | None = None
    """Which version of the method."""
    display_name: Name | None = None
    """What tables call it; the method's name where nothing is said."""
    paper_ref: Sentence | None = None
    """Where it is described."""
    licence: Name | None = None
    """Under which licence its code is."""
    backbone: Name | None = None
    """The network that it is built on."""
    input_h: int | None = Field(None, ge=1, le=2**15)
    """How high pictures are in it, in pixels."""
    input_w: int | None = Field(None, ge=1, le=2**15)
    """How wide pictures are in it, in pixels."""
    params_m: float | None = Field(None, gt=0)
    """Its parameters, in millions."""
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    """The seed of this training. Submissions that differ in nothing else are seeds of one configuration."""
    config: Annotated[dict[str, JsonValue], AfterValidator(_writable)] = Field(default_factory=dict)
    """The knobs that matter, as a table: what tells two lines of one method apart."""
    metric: Literal["cosine", "dot", "euclidean"] = "cosine"
    """How two vectors are compared; says nothing of rank lists."""
    depth: int | None = Field(None, ge=1, le=2**24)
    """Of rank lists: how many images each holds, where it does not hold the whole gallery."""
    disclosures: tuple[Sentence, ...] = ()
    """What else a reader must know, a sentence each."""

    def said(self) -> list[str]:
        """Give what is shown beside the row in words."""
        return [*(f"other data: {one}" for one in self.other_data), *self.disclosures]

    def shaping(self) -> dict[str, Any]:
        """Give what makes another configuration: everything that decides the ranks, and not who hands it in."""
        names = {"method_version", "train_sets", "pretrain_data", "other_data", "ckpt_selection", "rerank", "flip_tta"}
        return dict(self.config) | {"submitted": self.model_dump(mode="json", include=names)}

    def record(self) -> dict[str, Any]:
        """Give what goes into the run record before anything is ranked."""
        names = {"method", "seed", "method_version", "display_name", "paper_ref", "licence", "backbone", "input_h"}
        names |= {"input_w", "params_m", "pretrain_data", "ckpt_selection", "flip_tta"}
        trained = [{"name": name} for name in self.train_sets]
        return self.model_dump(mode="json", include=names) | {"config": self.shaping(), "train_sets": trained}
