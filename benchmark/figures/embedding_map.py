"""A few identities in the plane (t-SNE), coloured by who they are and by their light, and how well these part.

The plane is for the eye: distances in it mean little. The silhouettes are of the vectors themselves, by cosine.
"""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import keyed, strata
from benchmark.errors import UserError
from benchmark.figures import style
from benchmark.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PEOPLE = 14  # with two kinds of marks they can be told apart
EACH = 40  # pictures of an identity
LIGHT = "night600-light"
NEIGHBOURS = 15.0  # t-SNE's perplexity, where there are pictures enough
MARKS = "os"
NIGHT = "cividis"  # from dark to bright, with every kind of colour vision
NOBODY = -1

Floats = NDArray[np.floating]
Codes = NDArray[np.integer]


class Groups(NamedTuple):
    """One way to group pictures: a position in `names` each, -1 where it is not known."""

    names: Sequence[str]
    codes: Codes


class Points(NamedTuple):
    """Pictures with their vectors, and what is known of them."""

    vectors: Floats
    identity: Groups
    camera: Groups
    light: Groups


def choose(manifest: Manifest, people: int = PEOPLE, each: int = EACH, seed: int = 0) -> NDArray[np.int64]:
    """Draw a few identities that have several pictures, and some pictures of each; rows in the manifest's order."""
    who = manifest.identities()
    numbers, counts = np.unique(who[who >= 0], return_counts=True)
    numbers = numbers[counts > 1] if (counts > 1).any() else numbers
    first = np.array([np.flatnonzero(who == number)[0] for number in numbers], np.int64)
    spaces, pids = manifest.column("id_space"), manifest.column("pid")
    drawn = numbers[
        keyed.order(seed, keyed.keys([f"{spaces[row]}/{pids[row]}" for row in first]), "map-people")[:people]
    ]
    image_ids = manifest.column("image_id").astype(str)
    rows = []
    for number in drawn:
        own = np.flatnonzero(who == number)
        rows.append(own[keyed.order(seed, keyed.keys(image_ids[own].tolist()), "map-pictures")[:each]])
    return np.sort(np.concatenate(rows)) if rows else np.zeros(0, np.int64)


def points(manifest: Manifest, vectors: Floats) -> Points:
    """Group the rows of a manifest by identity, by camera and by light."""
    pids, spaces = manifest.column("pid"), manifest.column("id_space").astype(str)
    several = len(set(spaces)) > 1
    people = [f"{space}/{pid}" if several else str(pid) for space, pid in zip(spaces, pids, strict=True)]
    camids = manifest.column("camid").astype(int)
    cameras = [f"{space}/{camid:05d}" if camid else "" for space, camid in zip(spaces, camids, strict=True)]
    return Points(vectors, _groups(people, manifest.identities() >= 0), _groups(cameras, camids > 0), _light(manifest))


def silhouette(vectors: Floats, codes: Codes) -> float:
    """Give the mean silhouette by cosine, -1 to 1, of pictures whose group is known; NaN where it says nothing."""
    from sklearn.metrics import silhouette_score

    known = np.asarray(codes) >= 0
    if not 1 < len(np.unique(codes[known])) < known.sum():
        return float("nan")
    return float(silhouette_score(vectors[known], codes[known], metric="cosine"))


def plane(vectors: Floats, seed: int = 0) -> NDArray[np.float64]:
    """Lay vectors out in two dimensions."""
    from sklearn.manifold import TSNE

    neighbours = min(NEIGHBOURS, (len(vectors) - 1) / 3)
    made = TSNE(perplexity=neighbours, metric="cosine", init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(made.fit_transform(np.asarray(vectors, np.float32)), np.float64)


def draw(title: str, gallery: Manifest, vectors: Floats, seed: int = 0) -> "Figure":
    """Draw a few identities of a gallery; `vectors` are in its order."""
    rows = choose(gallery, seed=seed)
    total, found = int(gallery.identities().max(initial=-1)) + 1, points(gallery.select(rows), vectors[rows])
    return lay(f"{title}: {len(found.identity.names)} of {total:,} identities of the gallery", found, seed)


def lay(title: str, found: Points, seed: int = 0) -> "Figure":
    """Draw the same points twice: by identity, and by light."""
    made = style.figure(10, 5.6, fill(title, 95))
    people, light = made.subplots(1, 2)
    if len(found.vectors) < 5 or not np.linalg.norm(found.vectors, axis=1).all():
        for axes in (people, light):
            style.say(axes, "fewer than 5 pictures, or one whose vector has no length: there is nothing to lay out")
        return made
    placed = plane(found.vectors, seed)
    _scatter(people, placed, found.identity, _identity_colours(len(found.identity.names)))
    _scatter(light, placed, found.light, _light_colours(len(found.light.names)))
    for axes, groups, name in ((people, found.identity, "identity"), (light, found.light, "light level")):
        style.plain(axes, f"by {name}", "", "")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set(visible=True, color=style.GREY, linewidth=0.6)
        _legend(axes, groups)
    made.supxlabel(stated(found), fontsize=style.NORMAL)
    return made


def stated(found: Points) -> str:
    """Say how well each grouping parts the vectors."""
    parts = (("identity", found.identity), ("camera", found.camera), ("light level", found.light))
    values = [(name, silhouette(found.vectors, groups.codes)) for name, groups in parts]
    said = ", ".join(f"by {name} {'none' if np.isnan(value) else f'{value:+.2f}'}" for name, value in values)
    first = f"silhouette of the vectors (cosine; 1: apart, 0: mixed): {said}"
    return f"{first}\nt-SNE: who lies close means something, how far groups lie apart does not"


def _groups(names: Sequence[str], known: NDArray[np.bool_]) -> Groups:
    distinct = sorted({name for name, is_known in zip(names, known, strict=True) if is_known}, key=_natural)
    place = {name: code for code, name in enumerate(distinct)}
    codes = [place[name] if is_known else NOBODY for name, is_known in zip(names, known, strict=True)]
    return Groups(distinct, np.array(codes, np.int64))


def _natural(name: str) -> tuple[str, int, str]:
    """Order 2 before 10."""
    space, _, number = name.rpartition("/")
    return (space, int(number), "") if number.isdigit() else (space, 0, number)


def _light(manifest: Manifest) -> Groups:
    try:
        cut = strata.assign(manifest, strata.scheme(LIGHT))
    except UserError:  # nobody measured it, or there is none that people see by
        return Groups((), np.full(len(manifest), NOBODY))
    return Groups(cut.levels, cut.codes)


def _identity_colours(number: int) -> list[tuple[object, str]]:
    return [(style.SERIES[place % 7], MARKS[place // 7 % len(MARKS)]) for place in range(number)]


def _light_colours(number: int) -> list[tuple[object, str]]:
    from matplotlib import colormaps

    return [(colormaps[NIGHT](place / max(number - 1, 1)), "o") for place in range(number)]


def _scatter(axes: "Axes", placed: Floats, groups: Groups, colours: Sequence[tuple[object, str]]) -> None:
    unknown = groups.codes < 0
    if unknown.any():
        axes.scatter(
            placed[unknown, 0],
            placed[unknown, 1],
            s=22,
            color=style.GREY,
            marker="x",
            linewidths=0.8,
            label="not known",
        )
    for code, (name, (colour, mark)) in enumerate(zip(groups.names, colours, strict=True)):
        own = groups.codes == code
        label = f" {name}" if name.startswith("_") else name
        if own.any():
            axes.scatter(
                placed[own, 0],
                placed[own, 1],
                s=24,
                color=[colour],
                marker=mark,
                edgecolors="white",
                linewidths=0.4,
                label=label,
            )


def _legend(axes: "Axes", groups: Groups) -> None:
    if not len(axes.get_legend_handles_labels()[0]):
        return
    legend = axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=7 if len(groups.names) > 5 else 5,
        fontsize=style.SMALL,
        frameon=False,
        columnspacing=0.9,
        handletextpad=0.2,
    )
    style.literal(legend.get_texts())
