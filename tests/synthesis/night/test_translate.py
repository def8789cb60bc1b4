"""A translator of one's own: called, recorded, and held to what it must give."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark import durable
from benchmark.errors import UserError
from benchmark.images import Picture
from synthesis.night import chain, config
from synthesis.night.block import Block
from synthesis.night.stages import translate
from synthesis.night.stages.translate import Config
from tests.synthesis.night.facts import facts

CODE = """
import numpy as np
loaded = []
loaded.append(1)
def night(picture): return picture // 2
def floating(picture): return picture / 255
def small(picture): return picture[::2, ::2]
def nothing(picture): pass
def reversed_view(picture): return picture[:, ::-1]
number = 3
"""
numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a translator on the path under a name of its own, for Python keeps what it imported."""
    name = f"translator_of_a_test_{next(numbers)}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def translated(call: str) -> Block:
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    block = Block([picture, picture + 100])
    translate.ready(Config(call=call), None).apply(block, {})
    return block


def test_a_function_of_a_module_translates_every_picture(module: str) -> None:
    block = translated(f"{module}:night")
    assert block.pictures[0].ravel().tolist() == [code // 2 for code in range(60)]
    assert block.pictures[1][0, 0, 0] == 50
    assert len(sys.modules[module].loaded) == 1
    assert translated(f"{module}:reversed_view").pictures[0].flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("floating", r"gave float64 of shape \(4, 5, 3\), must give uint8 of shape \(4, 5, 3\)$"),
        ("small", r"gave uint8 of shape \(2, 3, 3\), must give uint8 of shape \(4, 5, 3\)$"),
        ("nothing", r"gave a NoneType, must give a numpy array$"),
        ("absent", r"has no function 'absent'$"),
        ("number", r"has no function 'number'$"),
    ],
)
def test_what_it_must_not_give_is_one_line(module: str, name: str, said: str) -> None:
    with pytest.raises(UserError, match=rf"{module}.*{said}") as raised:
        translated(f"{module}:{name}")
    assert "\n" not in str(raised.value)


def test_a_module_that_is_not_there_is_one_line_and_one_that_lacks_something_is_not(
    module: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no module is called 'not_there_at_all'"):
        translate.load("not_there_at_all:night")
    (tmp_path / f"{module}_lacking.py").write_text("import not_there_at_all")
    with pytest.raises(ModuleNotFoundError):
        translate.load(f"{module}_lacking:night")


def test_the_code_is_recorded(module: str, tmp_path: Path) -> None:
    found = translate.survey(Config(call=f"{module}:night"), facts(1))
    assert found == {"sha256": durable.sha256(CODE)}
    with pytest.raises(UserError, match="names no function"):
        translate.survey(Config(), facts(1))
    assert translate.ready(Config(call=f"{module}:night"), found).call == f"{module}:night"
    (tmp_path / f"{module}.py").write_text(CODE + "# changed since")
    with pytest.raises(UserError, match="is not the one that this night was begun with"):
        translate.ready(Config(call=f"{module}:night"), found)


def test_an_error_of_the_translator_is_one_line(module: str) -> None:
    def night(_: Picture) -> Picture:
        raise RuntimeError("no memory left")

    block = Block([np.zeros((3, 2, 3), np.uint8)])
    with pytest.raises(
        UserError, match=r"^translate: lab:night failed on .* \(3, 2, 3\): RuntimeError: no memory left$"
    ):
        translate.Translation("lab:night", night).apply(block, {})


def test_it_refuses_to_work_before_it_is_ready() -> None:
    with pytest.raises(UserError, match="ready"):
        translate.apply(Block([]), {})


def test_a_night_of_a_translator_alone(module: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        f'stages = ["translate", "codec"]\n[translate]\ncall = "{module}:night"\nversion = "weights 1234"\n'
    )
    night = config.load(str(tmp_path / "own.toml"))
    assert night.record()["translate"] == {"call": f"{module}:night", "version": "weights 1234"}
    known = facts(1, width=16, height=16)
    surveys = chain.survey(night, known)
    plan = chain.plan(night, 0, known, surveys)
    block = chain.develop(chain.ready(night, surveys), [np.full((16, 16, 3), 200, np.uint8)], plan)
    assert block.pictures[0].max() == 100
    assert len(block.files) == 1
