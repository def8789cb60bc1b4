"""Folders of dark frames: what may lie in them, and what becomes of it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import UserError
from synthesis.night import darkframes


def frame(seed: int, shape: tuple[int, ...] = (12, 10, 3), top: int = 65535) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, top, shape, np.uint16)


def test_numbers_are_centred_by_channel_and_have_unit_variance_with_their_pattern(tmp_path: Path) -> None:
    frames = [frame(seed) // np.array([1, 2, 4], np.uint16) for seed in range(3)]
    for number, values in enumerate(frames):
        np.save(tmp_path / f"{number}.npy", values)
    made = darkframes.load(str(tmp_path))
    numbers = made.values.astype(float) * float(made.unit)
    assert numbers.shape == (3, 3, 12, 10)
    assert numbers.var() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(numbers.mean(axis=(0, 2, 3)), 0, atol=1e-3)
    centred = np.stack(frames) - np.mean(frames, axis=(0, 1, 2))
    wanted = (centred / centred.std()).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(numbers, wanted, atol=0.01)  # channels keep how noisy they are beside each other


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".npy"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_kind_of_file_gives_the_same_numbers(tmp_path: Path, suffix: str, kind: type[np.generic]) -> None:
    values = frame(1, top=256).astype(kind)
    for folder, name in ((tmp_path / "a", f"x{suffix}"), (tmp_path / "b", "x.npy")):
        folder.mkdir()
        if name.endswith(".npy"):
            np.save(folder / name, values)
        else:
            cv2.imwrite(str(folder / name), values[:, :, ::-1])
    one, other = (darkframes.load(str(tmp_path / name)) for name in "ab")
    np.testing.assert_array_equal(one.values, other.values)


def test_a_mosaic_gives_three_of_its_phases(tmp_path: Path) -> None:
    mosaic = frame(2, (9, 7))  # what is over after an even number of lines and columns is left out
    np.save(tmp_path / "raw.npy", mosaic)
    whole = np.stack([mosaic[:8:2, :6:2], mosaic[:8:2, 1:6:2], mosaic[1:8:2, 1:6:2]]).astype(float)
    wanted = whole - whole.mean(axis=(1, 2), keepdims=True)
    made = darkframes.load(str(tmp_path))
    np.testing.assert_allclose(made.values[0] * made.unit, wanted / wanted.std(), atol=0.01)


def test_the_hash_is_of_the_files(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "x.npy", frame(seed))
    a, b, c = (darkframes.describe(str(tmp_path / folder)) for folder in "abc")
    assert a == b
    assert a["sha256"] != c["sha256"]
    assert (a["frames"], a["height"], a["width"]) == (1, 12, 10)


def broken(folder: Path, what: str) -> None:
    np.save(folder / "1.npy", frame(1))
    if what == "other size":
        np.save(folder / "2.npy", frame(2, (12, 11, 3)))
    elif what == "four channels":
        np.save(folder / "2.npy", frame(2, (12, 10, 4)))
    elif what == "no number":
        np.save(folder / "2.npy", np.full((12, 10, 3), np.nan))
    elif what == "words":
        np.save(folder / "2.npy", np.full((12, 10, 3), "a"))
    elif what == "pickle":
        np.save(folder / "2.npy", np.full((12, 10, 3), None), allow_pickle=True)
    elif what == "cut":
        (folder / "2.png").write_bytes(b"\x89PNG\r\n")
    elif what == "empty":
        (folder / "2.tif").write_bytes(b"")
    elif what == "constant":
        np.save(folder / "1.npy", np.full((12, 10, 3), 7, np.uint16))


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("other size", r"2.npy: is 11 x 12, but 1.npy is 10 x 12"),
        ("four channels", r"2.npy: is an array of \(12, 10, 4\)"),
        ("no number", r"2.npy: holds float64 with what is no number"),
        ("words", r"2.npy: holds <U1"),
        ("pickle", r"2.npy: not an array that can be read"),
        ("cut", r"2.png: not a picture of 8 or 16 bits"),
        ("empty", r"2.tif: not a picture of 8 or 16 bits"),
        ("constant", r"hold no noise"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, what: str, complaint: str) -> None:
    broken(tmp_path, what)
    with pytest.raises(UserError, match=complaint):
        darkframes.load(str(tmp_path))


def test_no_folder_and_no_frames(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder of dark frames"):
        darkframes.describe(str(tmp_path / "none"))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"holds no dark frames; they may end in \.png"):
        darkframes.describe(str(tmp_path))


def test_too_many_numbers_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", frame(number))
    monkeypatch.setattr(darkframes, "MOST_NUMBERS", 2 * 360)
    with pytest.raises(UserError, match="more than 720 numbers"):
        darkframes.describe(str(tmp_path))
