"""Every recipe that comes with the suite can be trained by."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from baselines import backbones
from baselines.methods import bot, ide_plus
from benchmark import config, protocol
from benchmark.errors import UserError
from benchmark.plugins import Room, Shelf
from benchmark.runner import pretraining, recipe, weights
from benchmark.runner.interfaces import Moment, World
from benchmark.runner.recipe import Recipe

WORLD = World({"one": 6}, cameras=3, modalities=("visible",), size=(64, 32))
SHELF, METHODS = Shelf("baselines.recipes", "recipe"), Room("baselines.methods", "method")
READERS = Room("benchmark.readers", "reader").names()
SETS = ("market1501", "msmt17", "night600", "nightreid", "rgbnt201", "knight", "syn_dark", "street")


def read(name: str) -> Recipe:
    return recipe.load(SHELF.path(name))


@pytest.mark.parametrize("name", SHELF.names())
def test_a_recipe_parses_and_its_method_takes_its_keys(name: str) -> None:
    found = read(name)
    module = METHODS.load(found.method)
    made = config.check(module.Config, found.config, name)
    assert getattr(made, "backbone", "tiny") in backbones.names()
    assert found.title


@pytest.mark.parametrize("name", SHELF.names())
def test_a_recipe_begins_with_its_command_and_the_published_row(name: str) -> None:
    first, second = SHELF.path(name).read_text().splitlines()[:2]
    found = read(name)
    assert first.startswith("# luxreid bench ")
    assert name in first.split()
    for part in found.train:
        # `bench pretrain` takes its one manifest without a name.
        assert (f"--data {part.data}=" if found.test else "bench pretrain --data ") in first
    assert second.startswith(("# published: ", "# none published"))


@pytest.mark.parametrize("name", SHELF.names())
def test_a_recipe_tests_by_a_protocol_that_there_is(name: str) -> None:
    found = read(name)
    assert bool(found.test) == bool(found.protocol)
    if found.protocol:
        assert protocol.load(found.protocol).train
        # One recipe crosses from day to night: it tests in a light that it has not seen.
        assert found.test in {part.data for part in found.train} or name == "street-tiny-day-night"


@pytest.mark.parametrize("name", SETS)
def test_every_named_set_has_a_recipe_of_every_first_method(name: str) -> None:
    assert name in READERS
    for method in ("ide", "ide_plus", "bot"):
        found = read(f"{name}-{method}")
        assert found.method == method
        assert found.test == name
        assert [part.data for part in found.train] == [name]


def test_the_streets_recipes_differ_in_the_light_alone() -> None:
    night, day, crossed = (
        read(name).model_dump(exclude={"title"}) for name in ("street-tiny", "street-tiny-day", "street-tiny-day-night")
    )
    assert {key for key in night if night[key] != day[key]} == {"protocol", "test", "train"}
    assert {key for key in night if night[key] != crossed[key]} == {"train"}
    assert crossed["train"][0]["rows"] == {"split": ["train"], "time": ["day"]}


def test_a_recipe_that_quotes_idfs_table_trains_and_tests_as_that_row() -> None:
    night, knight = read("night600-ide_plus"), read("knight-ide_plus")
    assert (night.protocol, protocol.load(night.protocol).rank_by) == ("night600-idf", "mAP_trapz")
    for found in (night, knight):
        made = ide_plus.build(ide_plus.Config(**found.config | {"backbone": "tiny", "pretrained": False}), WORLD)
        (stage,) = made.stages()
        rates = [stage.schedule(Moment("train", epoch, epoch, stage.epochs, 1)) for epoch in range(stage.epochs)]
        assert rates == pytest.approx([1.0] * 80 + [0.1] * 40)


@pytest.mark.parametrize("backbone", ["tiny", "resnet50", "vit_small", "swin_tiny"])
def test_missing_weights_of_the_street_name_a_recipe_that_makes_them(backbone: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        weights.find("street", backbone, tmp_path)
    _, _, said = str(caught.value).partition("--recipe ")
    name, *sets = said.rstrip("`").split()
    found = recipe.load(SHELF.path(name), sets[1:])
    assert pretraining.data_name(SHELF.path(name)) == "street-pretrain"
    with torch.device("meta"):
        made = bot.build(config.check(bot.Config, found.config, name), replace(WORLD, size=found.size))
    assert made.facts == {"backbone": backbone}


def test_all_methods_are_importable_by_recipes_of_theirs() -> None:
    used = {read(name).method for name in SHELF.names()}
    for method in used:
        assert import_module(f"baselines.methods.{method}").build
