"""A night's settings: what is wrong with them is one line that names the key and what is allowed."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmark.errors import UserError
from synthesis.night import config
from synthesis.night.columns import Columns, Facts
from synthesis.night.stages import STAGES, gamma
from tests.synthesis.night.facts import facts


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("colour=3", r"colour = 3: "),
        ("codecs.quality=[3, 4]", r"unknown key 'codecs'; did you mean 'codec'\? allowed: about, "),
        ("codec.qality=[3, 4]", r"unknown key 'codec\.qality'; did you mean 'quality'\? allowed: "),
        ("codec.quality=[88, 35]", r"codec\.quality = .*no range goes from 88 to 35"),
        ("codec.quality=[0, 35]", r"codec\.quality\.0 = 0: .*greater than or equal to 1"),
        ("codec.quality=[3.5, 35]", r"codec\.quality\.0 = 3\.5: .*integer"),
        ("codec.stored=80", r"codec\.stored = 80: .*greater than or equal to 95"),
        ("codec.mode=shift", r"codec\.mode = 'shift': .*'auto', 'store' or 'shifted'"),
        ("codec.subsampling=422", r"codec\.subsampling = 422: .*'420' or '444'"),
        ("smear.odds=[0, 0, 0]", r"smear\.odds = .*these odds sum to 0"),
        ("smear.odds=[1, 1]", r"'smear\.odds\.2' is missing"),
        ("smear.odds=[1, 1, -1]", r"smear\.odds\.2 = -1: "),
        ("scale.range=[0.75, 0.5]", r"scale\.range = .*no range goes from 0\.75 to 0\.5"),
        ("scale.range=[0.5, 1.5]", r"scale\.range\.1 = 1\.5: .*less than or equal to 1"),
        ("scale.share=1.5", r"scale\.share = 1\.5: "),
        (
            "scale.size={small = 0.5, big = 0.3}",
            r"scale\.size = .*shares of small, medium and big sum to 0\.8, must sum",
        ),
        ("scale.size={small = 0.5, large = 0.5}", r"unknown key 'scale\.size\.large'; .*allowed: big, medium, small"),
        ("scale.smallest=100", r"scale\.smallest = 100: .*less than or equal to 99"),
        ("exposure.shares=[0.5, 0.4, 0.2]", r"exposure\.shares = .*sum to 1\.1, must sum to 1"),
        ("quality=faster", r"quality = 'faster': .*'fast' or 'exact'"),
        ("draws=0", r"draws = 0: "),
    ],
)
def test_a_bad_setting_is_one_line(setting: str, said: str) -> None:
    with pytest.raises(UserError, match=rf"night600\.toml with --set: {said}") as raised:
        config.load("night600", [setting])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('stages = ["gamma", "codex"]', r"no night stage is called 'codex'; did you mean 'codec'\?"),
        ('stages = ["gamma", "codec", "gamma"]', r"a stage, or two of one last name, cannot be there twice"),
        ("stages = []", r"stages = \[\]: .*at least 1"),
        ('stages = ["gamma", "json.tool"]', r"json\.tool: is no night stage: it has no Config, plan, apply"),
        ('stages = ["gamma", "codec"]\n[tint]\nred = [0.5, 0.6]', r"unknown key 'tint'; .*codec, draws, frames, gamma"),
        ('stages = ["gamma", "codec"]\n[gamma]\ngamma = [0.0, 1.0]', r"gamma\.gamma\.0 = 0\.0: .*greater than 0"),
        ('stages = ["tint"]\n[tint]\nred = [0.5, nan]', r"own\.toml: .*(finite|nan|NaN)"),
        ('stages = ["translate"]\n[translate]\ncall = "lab/night.py"', r"translate\.call = 'lab/night\.py': "),
        ("stages = [", r"own\.toml: not TOML"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(UserError, match=said) as raised:
        config.load(str(tmp_path / "own.toml"))
    assert "\n" not in str(raised.value)


def test_a_night_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no night is called 'nigth600'; did you mean 'night600'\?"):
        config.load("nigth600")
    with pytest.raises(UserError, match=r"absent\.toml: cannot read"):
        config.load(str(tmp_path / "absent.toml"))


def test_what_is_said_about_a_night_is_no_part_of_its_hash_and_every_setting_is() -> None:
    plain = config.load("gamma")
    assert config.load("gamma", ["about=other"]).sha256 == plain.sha256
    changed = ["gamma.gain=[0.7, 1.0]", "codec.stored=96", "draws=2", "quality=exact"]
    assert len({plain.sha256, *(config.load("gamma", [setting]).sha256 for setting in changed)}) == 5


@pytest.mark.parametrize("stage", STAGES.names())
def test_every_number_of_a_stage_says_what_it_is(stage: str) -> None:
    module = STAGES.load(stage)
    undocumented = [name for name, field in module.Config.model_fields.items() if not field.description]
    assert undocumented == []
    assert module.Config() == module.Config.model_validate_json(module.Config().model_dump_json())


def surveyed(module: ModuleType, known: Facts) -> dict[str, Any] | None:
    return module.survey(module.Config(), known) if hasattr(module, "survey") else None


@pytest.mark.parametrize("stage", [name for name in STAGES.names() if name != "translate"])
def test_a_plan_of_few_pictures_is_the_beginning_of_a_plan_of_many(stage: str) -> None:
    module = STAGES.load(stage)
    many, few = (facts(count, camid=np.arange(count) % 3 + 1, width=64, height=128, lightness=110) for count in (40, 7))
    plans = [
        module.plan(Columns(stage, module.Config(), known, 3, survey=surveyed(module, many))) for known in (many, few)
    ]
    assert plans[0].keys() == plans[1].keys()
    for name, values in plans[1].items():
        assert np.array_equal(plans[0][name][:7], values), name
        assert len(plans[0][name]) == 40, name


def test_stages_may_be_chosen_though_the_night_sets_others() -> None:
    night = config.load("night600", ['stages=["gamma", "codec"]', "gamma.gain=[0.5, 0.6]"])
    assert tuple(night.modules) == tuple(night.settings) == ("gamma", "codec")
    assert set(night.record()) == {"version", *config.Shape.model_fields, "gamma", "codec"}


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (["tone"], "tone works on codes, and there are pictures at its place"),
        (["exposure"], "exposure works on light, and there are pictures at its place"),
        (["linearise", "exposure"], "ends with light; a night ends with pictures"),
        (["linearise", "exposure", "tone", "codec"], "tone works on codes, and there are light at its place"),
        (["linearise", "quantise", "exposure", "tone"], "exposure works on light, and there are codes at its place"),
        (["codec", "smear"], "smear works on pictures, and there are files at its place"),
        (["linearise", "noise", "exposure", "quantise", "tone"], "exposure comes before noise"),
        (["linearise", "exposure", "lamps", "quantise", "tone"], "lamps comes before exposure"),
        (["linearise", "lamps", "quantise", "tone"], "lamps does nothing without exposure"),
        (["scale", "linearise", "exposure", "quantise", "tone"], "linearise comes before scale"),
    ],
)
def test_an_order_in_which_a_stage_finds_nothing_to_work_on_is_refused(stages: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        config.load("night600", [f"stages={json.dumps(stages)}"])
    assert str(refused.value).endswith(f": {said}")
    assert "\n" not in str(refused.value)


def test_every_stage_says_what_it_takes() -> None:
    kinds = {"pictures", "light", "codes", "files"}
    for name in STAGES.names():
        stage = STAGES.load(name)
        assert {stage.TAKES, getattr(stage, "GIVES", stage.TAKES)} <= kinds
        assert set(getattr(stage, "BEFORE", ())) <= set(STAGES.names())


def test_a_stage_that_is_called_as_a_key_of_every_night_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours_of_a_test").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("frames", "draws", "version"):
        (tmp_path / "ours_of_a_test" / f"{name}.py").write_text(Path(gamma.__file__).read_text())
        with pytest.raises(UserError, match=f"no stage can be called '{name}', which is a key of every night"):
            config.load("gamma", [f'stages=["ours_of_a_test.{name}", "codec"]'])
