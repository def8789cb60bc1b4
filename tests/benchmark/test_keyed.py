"""Keyed uniforms: the published vectors, and independence of batch and order."""

import hashlib
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import keyed

ROW = "night/1\nmarket/bounding_box_train/0002_c1s1_000451_03.jpg\n0"

# Seed, row, column, 64 bits, uniform: the table that was published with the generator.
VECTORS = [
    (0, 0, 1, 0x399CB48BC72E8D68, 0.22504734992980957),
    (7, 200, 1, 0x3D92C4969A7CBB16, 0.24052071571350098),
    (7, 200, 40, 0xC6182F82CDBF204C, 0.7738065123558044),
    (1, 2**64 - 1, 3, 0xC9AB63887B0BFC88, 0.7877714037895203),
    (7, 0xDDE774AD76E3638E, 1, 0x64606964C553E953, 0.3920961022377014),
]

words = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(("seed", "row", "column", "bits", "uniform"), VECTORS)
def test_vectors(seed: int, row: int, column: int, bits: int, uniform: float) -> None:
    assert keyed.bits(seed, np.uint64(row), column) == np.uint64(bits)
    assert keyed.uniform(seed, np.uint64(row), column) == uniform


def test_the_key_of_a_text_is_the_published_row() -> None:
    assert keyed.key(ROW) == np.uint64(0xDDE774AD76E3638E)
    assert keyed.uniform(7, keyed.key(ROW), 1) == VECTORS[-1][-1]


def _bits_plain(seed: int, key: int, column: int) -> int:
    """Mix with Python's whole numbers, which never overflow."""
    z = (seed * 0x9E3779B97F4A7C15 + key * 0xD1B54A32D192ED03 + column * 0x8CB92BA72F3D8DD7) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


@given(st.integers(-(2**70), 2**70), st.lists(words, min_size=1, max_size=5), words)
def test_the_generator_equals_its_slow_twin(seed: int, keys: list[int], column: int) -> None:
    found = keyed.bits(seed, np.array(keys, dtype=np.uint64), column)
    assert found.tolist() == [_bits_plain(seed, key, column) for key in keys]


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_and_scopes_are_hashed_as_documented(scope: str, name: str) -> None:
    if any(0xD800 <= ord(letter) < 0xE000 for letter in scope + name):
        return
    start = hashlib.sha256(unicodedata.normalize("NFC", scope).encode()).digest()[:8]
    column = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    assert int(keyed.key(scope)) == int.from_bytes(start, "little")
    assert int(keyed.bits(3, keyed.key(scope), name)) == _bits_plain(3, int(keyed.key(scope)), column)


def test_a_decomposed_name_has_the_key_of_the_composed_one() -> None:
    assert keyed.key("caf\u00e9") == keyed.key("cafe\u0301")


def test_a_row_is_the_same_in_any_batch_and_order() -> None:
    keys = keyed.keys([f"row {number}" for number in range(1000)])
    whole = keyed.uniform(5, keys, "gain")
    np.testing.assert_array_equal(np.concatenate([keyed.uniform(5, part, "gain") for part in np.split(keys, 8)]), whole)
    np.testing.assert_array_equal(keyed.uniform(5, keys[::-1], "gain"), whole[::-1])
    np.testing.assert_array_equal([float(keyed.uniform(5, key, "gain")) for key in keys], whole)
    assert keyed.uniform(5, keys.reshape(10, 100), "gain").shape == (10, 100)
    assert keyed.uniform(5, keys[0], "gain").shape == ()


def test_uniforms_are_uniform_exact_in_float32_and_uncorrelated() -> None:
    keys = keyed.keys([f"row {number}" for number in range(20000)])
    columns = np.array([keyed.uniform(11, keys, name) for name in ("gain", "blur", "noise", "lamp", "codec", "phase")])
    np.testing.assert_array_equal(columns.astype(np.float32), columns)
    assert columns.min() >= 0
    assert columns.max() < 1
    # Five standard errors of a mean and of a correlation of 20000 uniforms.
    assert np.abs(columns.mean(axis=1) - 0.5).max() < 5 * np.sqrt(1 / 12 / 20000)
    assert np.abs(np.corrcoef(columns) - np.eye(6)).max() < 5 / np.sqrt(20000)
    shares = np.histogram(columns, 16, (0, 1))[0] / columns.size
    assert np.abs(shares - 1 / 16).max() < 5 * np.sqrt(1 / 16 / columns.size)


def test_seeds_and_columns_do_not_share_draws() -> None:
    keys = keyed.keys([f"row {number}" for number in range(500)])
    draws = [keyed.bits(seed, keys, name) for seed in range(3) for name in ("a", "b")]
    assert len(np.unique(np.concatenate(draws))) == 6 * 500


@given(st.sets(words, min_size=2, max_size=30), st.data())
def test_order_shuffles_and_one_key_less_disturbs_no_other(found: set[int], data: st.DataObject) -> None:
    keys = np.array(sorted(found), dtype=np.uint64)
    order = keyed.order(9, keys, "shuffle")
    assert sorted(order.tolist()) == list(range(len(keys)))
    gone = data.draw(st.sampled_from(sorted(found)))
    rest = keys[keys != np.uint64(gone)]
    left = rest[keyed.order(9, rest, "shuffle")].tolist()
    assert left == [key for key in keys[order].tolist() if key != gone]


@given(seed=st.integers(-5, 2**64 + 5), key=st.integers(0, 2**64 - 1), column=st.integers(0, 2**64 - 1))
def test_one_key_alone_draws_what_it_draws_among_others(seed: int, key: int, column: int) -> None:
    alone = keyed.bits(seed, np.uint64(key), column)
    assert alone.shape == ()
    assert int(alone) == int(keyed.bits(seed, np.array([1, key], np.uint64), column)[1])
    assert float(keyed.uniform(seed, np.uint64(key), column)) == keyed.uniform(seed, [np.uint64(key)], column)[0]
