"""Made-up features of known difficulty, in the sizes of known sets: identity centre, shift of the camera, and noise.

Every picture has a difficulty of its own, so that the ranks of positives spread as those of a real network do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.junk import NOBODY, Codes

DIMENSIONS, INTRINSIC = 512, 48


class Size(NamedTuple):
    """How large a set is, and how hard."""

    queries: int
    gallery: int
    cameras: int
    identities: int
    distractors: int
    noise: float
    shift: float


SIZES = {
    "market": Size(3368, 15913, 6, 750, 2798, 0.78, 0.35),
    "msmt": Size(11659, 82161, 15, 3060, 0, 0.80, 0.45),
    "night600": Size(2180, 14351, 8, 300, 0, 1.1, 0.6),
    "tiny": Size(200, 1500, 4, 40, 100, 0.8, 0.35),
}

Facts = dict[str, NDArray[np.int64]]  # pid (0: a distractor) and camid, which is the place too


class Crowd(NamedTuple):
    """Vectors, and who they are."""

    query: NDArray[np.float32]
    gallery: NDArray[np.float32]
    query_facts: Facts
    gallery_facts: Facts

    def codes(self) -> tuple[Codes, Codes]:
        """Give what the junk rules compare; no picture is in both lists."""
        parts, first = [], 0
        for facts in (self.query_facts, self.gallery_facts):
            pids = facts["pid"]
            images = np.arange(first, first + len(pids))
            parts.append(Codes(np.where(pids > 0, pids, NOBODY), facts["camid"], images, np.full_like(pids, NOBODY)))
            first += len(pids)
        return parts[0], parts[1]


def crowd(name: str, seed: int = 0) -> Crowd:
    """Make a crowd of one of the known sizes."""
    size, rng = SIZES[name], np.random.default_rng(seed)
    people = size.identities + size.distractors
    centres = rng.standard_normal((people, INTRINSIC)).astype(np.float32)
    shifts = (size.shift * rng.standard_normal((size.cameras, INTRINSIC))).astype(np.float32)
    # Every identity has gallery pictures in all its turns, and every distractor is on one.
    shown = np.arange(size.gallery - size.distractors) % size.identities
    gallery_who = np.concatenate([shown, np.arange(size.identities, people)])
    query_who = np.arange(size.queries) % size.identities
    where = [rng.integers(0, size.cameras, len(who)) for who in (query_who, gallery_who)]
    rotation = np.linalg.qr(rng.standard_normal((DIMENSIONS, INTRINSIC)))[0].astype(np.float32)
    vectors = [
        _vectors(rng, centres[who] + shifts[camera], size.noise, rotation)
        for who, camera in zip((query_who, gallery_who), where, strict=True)
    ]
    facts = [
        {"pid": np.where(who < size.identities, who + 1, 0), "camid": camera + 1}
        for who, camera in zip((query_who, gallery_who), where, strict=True)
    ]
    return Crowd(vectors[0], vectors[1], facts[0], facts[1])


def _vectors(
    rng: np.random.Generator, middle: NDArray[np.float32], noise: float, rotation: NDArray[np.float32]
) -> NDArray[np.float32]:
    difficulty = (noise * rng.gamma(3, 1 / 3, (len(middle), 1))).astype(np.float32)
    inner = middle + difficulty * rng.standard_normal(middle.shape, dtype=np.float32)
    vectors = inner @ rotation.T
    vectors += np.float32(0.02) * rng.standard_normal(vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
