"""Pictures are today what they were when they were last looked at; run this file to write them anew, on purpose."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from synthesis.street import scene as table
from synthesis.street.scene import Scene
from synthesis.street.trace import Rendering, trace

GOLDEN = Path(__file__).parent / "golden"
LIGHT, NAMES = ("day", "night"), ("mask", "part", "owner", "visible", "amodal")
PICTURES = {"fast": (11, "fast"), "full": (12, "full"), "crowd": (21, "fast")}


def sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenes = sibling("scenes")


def scene_of(name: str) -> Scene:
    """Build a picture's scene, of one plain colour: it knows nothing of clothes and walls."""
    seed, _ = PICTURES[name]
    scene: Scene = scenes.surrounded(seed) if name == "crowd" else scenes.street(seed, blend=True)
    scene.solids.cones[:, table.MATERIAL] = 0
    return scene


def stored(drawn: Rendering) -> dict[str, NDArray[np.generic]]:
    """Choose what is kept of a picture, and how exactly."""
    light = {name: getattr(drawn, name) for name in (*LIGHT, "depth")}
    return {**light, "normal": drawn.normal.astype(np.float16), **{name: getattr(drawn, name) for name in NAMES}}


def share_that_differs(golden: dict[str, NDArray[np.generic]], now: dict[str, NDArray[np.generic]]) -> float:
    """Give the share of pixels that differ by more than a thousandth of a number, or by a name."""
    wrong = np.zeros(golden["mask"].shape, bool)
    for name, before in golden.items():
        absolute = 3e-3 if name == "normal" else 1.5 if name == "visible" else 1e-6
        close = np.isclose(now[name].astype(float), before.astype(float), rtol=1e-3, atol=absolute)
        wrong |= ~close.reshape(*wrong.shape, -1).all(axis=2)
    return float(wrong.mean())


def read(name: str) -> dict[str, NDArray[np.generic]]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def write(folder: Path) -> None:
    """Write all pictures anew."""
    for name, (_, quality) in PICTURES.items():
        arrays = stored(trace(scene_of(name), quality))
        np.savez_compressed(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]  # a name could be a flag


@pytest.mark.parametrize("name", list(PICTURES))
def test_a_picture_is_what_it_was(name: str) -> None:
    golden, quality = read(name), PICTURES[name][1]
    assert set(golden) == set(stored(trace(scene_of(name), quality)))
    differs = share_that_differs(golden, stored(trace(scene_of(name), quality)))
    assert differs <= 0.001, f"if that is wanted, look at the pictures and run `python {Path(__file__).name}`"


@pytest.mark.parametrize("name", list(PICTURES))
def test_a_hundredth_more_light_would_be_seen(name: str) -> None:
    scene = scene_of(name)
    scene.night.lights[:, table.INTENSITY : table.INTENSITY + 3] *= 1.01
    assert share_that_differs(read(name), stored(trace(scene, PICTURES[name][1]))) > 0.1


@pytest.mark.parametrize("name", list(PICTURES))
def test_a_camera_a_centimetre_aside_would_be_seen(name: str) -> None:
    scene = scene_of(name)
    aside = replace(scene, view=replace(scene.view, eye=scene.view.eye + 0.01 * scene.view.right))
    assert share_that_differs(read(name), stored(trace(aside, PICTURES[name][1]))) > 0.05


def test_the_pictures_stay_small() -> None:
    assert sum(file.stat().st_size for file in GOLDEN.iterdir()) < 150_000
    assert {file.stem for file in GOLDEN.iterdir()} == set(PICTURES)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN)
