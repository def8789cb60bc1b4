"""Configuration: what is right comes back equal; what is wrong is one line that names the key."""

import datetime
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from benchmark import config

Mistake = Callable[..., AbstractContextManager[None]]
Attempt = Callable[..., Any]


class Lamp(config.Strict):
    """The innermost table."""

    kelvin: int = 2700
    tint: tuple[float, float, float] = (1.0, 0.85, 0.7)


class Night(config.Strict):
    """A table in a table."""

    gain: float = 1.0
    lamps: tuple[Lamp, ...] = ()
    named: dict[str, Lamp] = Field(default_factory=dict)
    spare: Lamp | None = None


class Recipe(config.Strict):
    """One key of every kind that TOML has."""

    name: str = "street"
    steps: int = 1
    share: float = 0.5
    on: bool = False
    mode: Literal["paper", "released", "ours"] = "ours"
    words: tuple[str, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    folder: Path = Path()
    night: Night = Night()


def text_toml(text: str) -> str:
    """Write a TOML string: JSON's escapes, and the one character more that TOML forbids."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value_toml(value: object) -> str:
    """Write plain data as TOML on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return text_toml(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text_toml(key)} = {value_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(value_toml(part) for part in value) + "]"
    return repr(value)


def file_toml(table: dict[str, Any]) -> str:
    """Write a table as a TOML file."""
    return "".join(f"{key} = {value_toml(value)}\n" for key, value in table.items())


def some(parts: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a table that leaves some keys out."""
    return st.fixed_dictionaries({}, optional=parts)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
floats = st.floats(allow_nan=False, allow_infinity=False)
lamps = some({"kelvin": st.integers(), "tint": st.lists(floats, min_size=3, max_size=3)})
nights = some(
    {
        "gain": floats | st.integers(-(2**53), 2**53),
        "lamps": st.lists(lamps, max_size=2),
        "named": st.dictionaries(texts, lamps, max_size=2),
        "spare": lamps,
    }
)
RECIPE: dict[str, st.SearchStrategy[Any]] = {
    "name": texts,
    "steps": st.integers(),
    "share": floats,
    "on": st.booleans(),
    "mode": st.sampled_from(["paper", "released", "ours"]),
    "words": st.lists(texts, max_size=3),
    "counts": st.dictionaries(texts, st.integers(), max_size=3),
    "folder": texts.filter(lambda text: "\0" not in text),
    "night": nights,
}


def expected(table: dict[str, Any]) -> Recipe:
    """Build the model from Python values, the kind way: no JSON and no TOML between."""
    return Recipe.model_validate(table, strict=False)


@given(table=some(RECIPE))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "recipe.toml"
    path.write_text(file_toml(table), encoding="utf-8", newline="")
    assert config.load(Recipe, path) == expected(table)


@given(table=some(RECIPE))
def test_settings_say_the_same_as_a_file(table: dict[str, Any]) -> None:
    sets = [f"{key}={value_toml(value)}" for key, value in table.items()]
    assert config.load(Recipe, None, sets) == expected(table)


@given(data=st.binary(max_size=60))
@example(data=b"steps = " + b"1" * 5000)
@example(data=b"a" + b".a" * 5000 + b" = 1")
@example(data=b"words = " + b"[" * 5000)
@example(data=b"\xef\xbb\xbfname = 'x'")
@example(data=b"name = '\x00'")
@example(data=b"steps = 2026-02-30")
def test_junk_is_a_mistake_or_a_valid_file(
    tmp_path_factory: pytest.TempPathFactory, attempt: Attempt, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.toml"
    path.write_bytes(data)
    attempt(lambda: config.load(Recipe, path), f"{path}: ")


junk_keys = st.sampled_from(["name", "steps", "night.gain", "night", "words", "night.spare.kelvin", "", ".", "a.b"])


@given(key=junk_keys | st.text(max_size=6), value=st.text(max_size=12))
@example(key="steps", value="1" * 5000)
@example(key="words", value="[" * 5000)
@example(key=".".join("a" * 5000), value="1")
@example(key="name", value="\udc80")
@example(key="night.lamps", value="[{kelvin = 3}]\nx = 1")
def test_a_junk_setting_is_a_mistake_or_valid(attempt: Attempt, key: str, value: str) -> None:
    attempt(lambda: config.load(Recipe, None, [f"{key}={value}"]))


@pytest.mark.parametrize(
    ("toml", "key", "near", "allowed"),
    [
        ("stebs = 1", "stebs", "steps", "counts, folder, mode, name, night, on, share, steps, words"),
        ("[night]\ngian = 1", "night.gian", "gain", "gain, lamps, named, spare"),
        ("[[night.lamps]]\nkelvin = 3\n[[night.lamps]]\nkelvn = 3", "night.lamps.1.kelvn", "kelvin", "kelvin, tint"),
        ("[night.named.left]\ntnt = 3", "night.named.left.tnt", "tint", "kelvin, tint"),
        ("[night.spare]\nkelvinn = 3", "night.spare.kelvinn", "kelvin", "kelvin, tint"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(
    tmp_path: Path, mistake: Mistake, toml: str, key: str, near: str, allowed: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(toml)
    with mistake(path, f"unknown key {key!r}", f"did you mean {near!r}?", f"allowed: {allowed}"):
        config.load(Recipe, path)


@pytest.mark.parametrize(
    ("setting", "key", "found", "allowed"),
    [
        ('steps="3"', "steps", "'3'", "valid integer"),
        ("steps=3.0", "steps", "3.0", "integer"),
        ("steps=true", "steps", "True", "valid integer"),
        ("steps=nan", "steps", "nan", "integer"),
        ('on="yes"', "on", "'yes'", "valid boolean"),
        ("on=1", "on", "1", "valid boolean"),
        ("share=nan", "share", "nan", "finite number"),
        ("share=-inf", "share", "-inf", "finite number"),
        ("night.gain=inf", "night.gain", "inf", "finite number"),
        ("night.spare.tint=[1, 2, nan]", "night.spare.tint.2", "nan", "finite number"),
        ("night.spare.tint=[1, 2]", "night.spare.tint", "2", "is missing"),
        ("name=3", "name", "3", "valid string"),
        ("mode=open", "mode", "'open'", "'paper', 'released' or 'ours'"),
        ("words=one", "words", "'one'", "valid array"),
        ("words=[1]", "words.0", "1", "valid string"),
        ("night=3", "night", "3", "object"),
        ("counts={a = 1.5}", "counts.a", "1.5", "integer"),
        ("folder=3", "folder", "3", "valid string"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    mistake: Mistake, setting: str, key: str, found: str, allowed: str
) -> None:
    with mistake("settings", key, found, allowed):
        config.load(Recipe, None, [setting])


def test_a_date_is_named_wherever_it_stands(mistake: Mistake) -> None:
    with mistake("settings: night.lamps.0.kelvin = 2026-01-02", "write dates as strings"):
        config.load(Recipe, None, ["night.lamps=[{kelvin = 2026-01-02}]"])
    with mistake("name = 07:30:00", "write dates as strings"):
        config.check(Recipe, {"name": datetime.time(7, 30)}, "here")


def test_further_mistakes_are_counted(mistake: Mistake) -> None:
    with mistake("steps", "(and 2 more)"):
        config.load(Recipe, None, ["steps=x", "share=x", "on=x"])


class Needs(config.Strict):
    """A table with a key that has no default."""

    epochs: int


def test_a_missing_key_is_named(mistake: Mistake) -> None:
    with mistake("settings", "'epochs' is missing"):
        config.load(Needs)


def test_a_missing_file_is_named(tmp_path: Path, mistake: Mistake) -> None:
    with mistake(tmp_path / "none.toml", "cannot read", "No such file"):
        config.load(Recipe, tmp_path / "none.toml")


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load(Recipe).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("name=street", "name", "street"),
        ('name="3"', "name", "3"),
        ("name='a = b'", "name", "a = b"),
        ("name=a=b", "name", "a=b"),
        ("name=", "name", ""),
        ("name= two words ", "name", "two words"),
        ("name=# no comment", "name", "# no comment"),
        ("steps=-1_000", "steps", -1000),
        ("share=1e-3", "share", 0.001),
        ("on=true", "on", True),
        ("words=['a', 'b,c']", "words", ("a", "b,c")),
        ("folder=data/night", "folder", Path("data/night")),
    ],
)
def test_a_setting_is_read_as_toml_or_as_a_plain_word(setting: str, key: str, value: object) -> None:
    assert getattr(config.load(Recipe, None, [setting]), key) == value


def test_settings_reach_deep_and_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("steps = 2\n[night]\ngain = 2.0\n[night.named.left]\nkelvin = 1\ntint = [0, 0, 0]\n")
    found = config.load(Recipe, path, ["night.named.left.kelvin=9", "night . gain = 4", "steps=5", "steps=6"])
    assert found.steps == 6
    assert found.night == Night(gain=4.0, named={"left": Lamp(kelvin=9, tint=(0, 0, 0))})


@pytest.mark.parametrize("setting", ["steps", "=3", ".steps=3", "night.=3", "night..gain=3", ""])
def test_a_setting_of_no_form_is_refused(mistake: Mistake, setting: str) -> None:
    with mistake("--set ", setting, "key=value"):
        config.load(Recipe, None, [setting])


def test_a_setting_below_a_value_is_refused(mistake: Mistake) -> None:
    with mistake("--set steps.more=3", "steps is a value, not a table"):
        config.load(Recipe, None, ["steps=1", "steps.more=3"])
