"""Randomness without state: a uniform is a function of (seed, key, name), whatever the order, batch or worker.

The mixer is SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014) over a linear combination of the three words.
"""

import hashlib
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SEED, _KEY, _COLUMN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03), np.uint64(0x8CB92BA72F3D8DD7)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Words = NDArray[np.uint64]


def key(text: str) -> np.uint64:
    """Turn a scope's text into a key: the first 8 bytes of its SHA-256, little endian."""
    digest = hashlib.sha256(unicodedata.normalize("NFC", text).encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def keys(texts: list[str]) -> Words:
    """Turn many scopes' texts into keys."""
    return np.array([key(text) for text in texts], dtype=np.uint64)


def bits(seed: int, key: ArrayLike, column: str | int) -> Words:
    """Draw 64 random bits for every key; a column is a name, or a bare number for the published vectors."""
    number = np.uint64(column) if isinstance(column, int) else _column(column)
    if np.ndim(key) == 0:
        return np.asarray(_one(seed, int(np.asarray(key, dtype=np.uint64)), int(number)), np.uint64)
    words = np.asarray(key, dtype=np.uint64)
    start = np.full(1, seed % 2**64, dtype=np.uint64)
    z = start * _SEED + words * _KEY + np.full(1, number) * _COLUMN
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    mixed: Words = z ^ (z >> np.uint64(31))
    return mixed


def _one(seed: int, key: int, number: int) -> int:
    """Mix one key in Python's own numbers: NumPy takes ten times as long for so little."""
    z = (seed * int(_SEED) + key * int(_KEY) + number * int(_COLUMN)) % 2**64
    z = (z ^ (z >> 30)) * int(_FIRST) % 2**64
    z = (z ^ (z >> 27)) * int(_SECOND) % 2**64
    return z ^ (z >> 31)


def uniform(seed: int, key: ArrayLike, column: str | int) -> NDArray[np.float64]:
    """Draw one uniform in [0, 1) for every key, with 24 bits: exact in float32."""
    return np.asarray((bits(seed, key, column) >> np.uint64(40)) * 2.0**-24)


def order(seed: int, key: ArrayLike, column: str | int) -> NDArray[np.intp]:
    """Shuffle: the positions of the keys in random order, which one more key does not disturb."""
    return np.argsort(bits(seed, key, column), kind="stable")


@lru_cache(maxsize=4096)
def _column(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
