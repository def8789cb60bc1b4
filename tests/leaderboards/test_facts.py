"""The form that goes with a submission: nothing that a reader must know is left to a default."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmark import config
from benchmark.errors import UserError
from leaderboards.facts import Facts
from tests.leaderboards import handing

ASKED = sorted(handing.FORM)


def refusal(**changed: object) -> str:
    with pytest.raises(UserError) as caught:
        handing.facts(**changed)
    return str(caught.value)


@pytest.mark.parametrize("name", ASKED)
def test_a_question_that_is_not_answered_is_named(name: str) -> None:
    with pytest.raises(UserError, match=f"^about.toml: '{name}' is missing$"):
        config.check(Facts, {key: value for key, value in handing.FORM.items() if key != name}, "about.toml")


def test_nothing_but_what_the_questions_ask_has_no_default() -> None:
    assert sorted(name for name, field in Facts.model_fields.items() if field.is_required()) == ASKED


@pytest.mark.parametrize("name", ["A & B", "<b>a</b>", "$x_1$", '=SUM("A1")', "a|b", "Größer, tiefer", "夜" * 80])
def test_a_name_is_kept_as_the_text_that_it_is(name: str) -> None:
    found = handing.facts(method=name, display_name=name)
    assert found.record()["method"] == found.record()["display_name"] == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two\nlines", r"holds '\n', which is not printed"),
        ("tab\tbed", r"holds '\t', which is not printed"),
        ("turned \u202e around", r"holds '\u202e', which is not printed"),
        ("joined\u200bwords", r"holds '\u200b', which is not printed"),
        (" padded", "begins or ends with a blank"),
        ("", "at least 1 character"),
        ("x" * 81, "at most 80 characters"),
        ("x" * 200, "at most 80 characters"),
    ],
)
def test_a_name_that_would_forge_a_table_is_refused(name: str, said: str) -> None:
    for key in ("method", "display_name", "licence", "backbone"):
        found = refusal(**{key: name})
        assert said in found
        assert found.startswith(f"about.toml: {key} = ")
        assert "\n" not in found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"official": "yes"}, "official = 'yes'"),
        ({"division": "half"}, "division = 'half'"),
        ({"ckpt_selection": "best"}, "ckpt_selection = 'best'"),
        ({"n_test_evals": 0}, "n_test_evals = 0"),
        ({"seed": True}, "seed = True"),
        ({"train_sets": "market1501"}, "train_sets = 'market1501'"),
        ({"metric": "hamming"}, "metric = 'hamming'"),
        ({"divison": "open"}, "did you mean 'division'"),
        ({"config": {"rate": float("nan")}}, "not finite"),
        ({"config": {"deep": {"rate": float("inf")}}}, "not finite"),
        ({"config": {"submitted": 1}}, "'submitted' is taken"),
    ],
)
def test_an_answer_that_is_none_is_one_line(changed: dict[str, Any], said: str) -> None:
    assert said in refusal(**changed)


def test_what_decides_the_ranks_is_part_of_the_configuration_and_nothing_else_is() -> None:
    own = handing.facts(config={"width": 2}).shaping()
    same = handing.facts(config={"width": 2}, seed=4, contact="another", n_test_evals=9, official=False).shaping()
    assert own == same
    others: list[dict[str, object]] = [
        {"train_sets": []},
        {"pretrain_data": []},
        {"other_data": ["poses"]},
        {"flip_tta": True},
    ]
    others += [{"ckpt_selection": "test_best"}, {"rerank": "k-reciprocal"}, {"method_version": "2"}, {"config": {}}]
    found = [handing.facts(**({"config": {"width": 2}} | one)).shaping() for one in others]
    assert len({json.dumps(one, sort_keys=True) for one in [own, *found]}) == 1 + len(found)


def test_other_data_is_said_beside_the_row() -> None:
    found = handing.facts(other_data=["poses of COCO"], disclosures=["it saw the test cameras by day"])
    assert found.said() == ["other data: poses of COCO", "it saw the test cameras by day"]


def test_the_form_in_the_documents_is_one_that_is_filled_in(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
    form = next(iter(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)))
    (tmp_path / "about.toml").write_text(form)
    found = config.load(Facts, tmp_path / "about.toml", ["depth=50"])
    assert found.model_fields_set == set(Facts.model_fields)
    (tmp_path / "about.toml").write_text(form.split("\n# ")[0])
    assert config.load(Facts, tmp_path / "about.toml").model_fields_set == set(ASKED)
