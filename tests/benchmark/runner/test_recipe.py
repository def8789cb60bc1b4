"""A recipe: what cannot be meant is refused in one line."""

from pathlib import Path

import pytest

from benchmark.errors import UserError
from benchmark.runner import recipe

LEAST = 'title = "t"\nmethod = "bot"\nsize = [64, 32]\ntest = "a"\nprotocol = "street-night"\n'
TWO = '[[train]]\ndata = "a"\n[[train]]\ndata = "b"\n'


def load(tmp_path: Path, text: str) -> recipe.Recipe:
    (tmp_path / "r.toml").write_text(LEAST + text)
    return recipe.load(tmp_path / "r.toml")


def test_domains_are_called_as_their_data_unless_they_have_a_name(tmp_path: Path) -> None:
    found = load(tmp_path, '[[train]]\ndata = "a"\n[[train]]\ndata = "a"\nname = "dark"\nrows = { time = "night" }\n')
    assert found.domains == ("a", "dark")
    assert found.train[1].rows == {"time": ["night"]}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'train' is missing"),
        ('[[train]]\ndata = "a"\n[[train]]\ndata = "a"\n', "two parts are called 'a'"),
        (TWO + "[order]\ncounts = [1, 1]\n", "order.counts has length 2; mix of 2 parts takes none"),
        (
            TWO + '[order]\nhow = "pretrain-finetune"\ncounts = [1, 1]\n',
            "order.counts has length 2; pretrain-finetune of 2 parts takes 1",
        ),
        (
            TWO + '[order]\nhow = "alternate"\ncounts = [1]\n',
            "order.counts has length 1; alternate of 2 parts takes 2",
        ),
        (TWO + '[order]\nhow = "pretrain-finetune"\n', "pretrain-finetune needs two parts"),
        (TWO + "[batches]\nidentites = 4\n", "unknown key 'batches.identites'"),
        (TWO + "[augment]\nflip = 1.5\n", "augment.flip"),
        (TWO + "[loop]\nema = 1.0\n", "loop.ema"),
        (TWO + "[augment]\nerase_area = [0.4, 0.02]\n", "no range goes from 0.4 to 0.02"),
        (TWO + "[augment]\nerase_aspect = [0.0, 3.0]\n", "no range goes from 0 to 3"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
