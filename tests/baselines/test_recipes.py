"""Every recipe that comes with the suite can be trained by."""

from importlib import import_module

import pytest

from baselines import backbones
from benchmark import config, protocol
from benchmark.plugins import Room, Shelf
from benchmark.runner import recipe
from benchmark.runner.recipe import Recipe

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


def test_all_methods_are_importable_by_recipes_of_theirs() -> None:
    used = {read(name).method for name in SHELF.names()}
    for method in used:
        assert import_module(f"baselines.methods.{method}").build
