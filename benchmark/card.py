"""What is known of a data set, as data: every reader carries one; `data check` and `data describe` use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Card:
    """Facts about a set, each from its paper or its authors' page; empty where nobody says."""

    title: str
    licence: str = ""
    citation: str = ""
    access: str = ""  # how people get it, and under which conditions
    # Expected (images, identities), either may be None, of a split, query, gallery, all, or a list in `subsets`.
    counts: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    cameras: int | None = None
    view: str = ""  # the paper's Viewpoint: parallel, downward
    labelling: str = ""  # the paper's Labeling Method: hand, DPM, detectron2
    beside: tuple[str, ...] = ()  # folders of its root that its reader may leave out
    note: str = ""  # a trap, or what a difference from the counts usually means
