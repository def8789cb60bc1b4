"""The twin for a graphics card: the integers of the one for processors, in any chunks, in full precision."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmark import ranking, ranking_torch, scoring
from benchmark.errors import UserError
from benchmark.junk import NOBODY, Codes
from benchmark.protocol import Junk
from benchmark.ranking import Ranking

RULES = [Junk(), Junk(same_place=False), Junk(place_pairs=((1, 2), (3, 3))), Junk(place_pairs=((2, 1),))]
NAMES = ("starts", "ranks", "best", "rows", "scores", "junk", "seen", "negative", "identity")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def codes(rng: np.random.Generator, count: int, first: int) -> Codes:
    """Draw who is where; some rows are nobody's in the gallery, and some places unknown."""
    identity = rng.choice([NOBODY if first else 1, 2, 3, 4, 5 + bool(first)], count)
    return Codes(identity, rng.choice([NOBODY, 1, 2, 3], count), first + np.arange(count), np.full(count, NOBODY))


def equal(made: Ranking, expected: Ranking) -> None:
    for name in NAMES:
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name), err_msg=name)
        assert getattr(made, name).dtype == getattr(expected, name).dtype, name


def skip_without(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no card")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("chunk", [0, 7])
def test_exact_scores_with_many_ties_give_the_same_numbers(rules: Junk, chunk: int, device: str) -> None:
    skip_without(device)
    rng = np.random.default_rng(2)
    asking, searched = codes(rng, 30, 0), codes(rng, 200, 30)
    query, gallery = (rng.integers(-2, 3, (count, 5)).astype(np.float32) for count in (30, 200))
    for metric in ("dot", "euclidean"):
        expected = ranking.rank(scoring.Vectors(query, gallery, metric), asking, searched, rules, identities=True)
        assert (expected.ranks != expected.best).any()
        assert (np.diff(expected.starts) == 0).any()
        inputs: list[tuple[Any, Any]] = [(query, gallery), (torch.tensor(query).half(), torch.tensor(gallery))]
        for one, other in inputs:
            made = ranking_torch.rank(
                *(one, other, asking, searched, rules), metric=metric, device=device, identities=True, chunk=chunk
            )
            equal(made, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rules", RULES)
def test_a_ready_matrix_gives_the_same_numbers_and_stays_as_it_was(rules: Junk, device: str) -> None:
    skip_without(device)
    rng = np.random.default_rng(5)
    asking, searched = codes(rng, 20, 0), codes(rng, 90, 20)
    matrix = rng.integers(0, 12, (20, 90)).astype(np.float32)
    expected = ranking.rank(scoring.Distances(matrix), asking, searched, rules)
    kept = torch.tensor(matrix, device=device)
    equal(ranking_torch.rank_distances(kept, asking, searched, rules, device=device, chunk=3), expected)
    matrix.flags.writeable = False
    equal(ranking_torch.rank_distances(matrix, asking, searched, rules, device=device), expected)
    equal(ranking_torch.rank_distances(kept.double(), asking, searched, rules, device=device), expected)
    np.testing.assert_array_equal(kept.cpu().numpy(), matrix)


@pytest.mark.parametrize("device", DEVICES)
def test_cosine_ranks_as_on_a_processor_whatever_the_lengths(device: str) -> None:
    skip_without(device)
    rng = np.random.default_rng(0)
    asking, searched = codes(rng, 9, 0), codes(rng, 50, 9)
    query, gallery = (rng.standard_normal((count, 16)).astype(np.float32) for count in (9, 50))
    gallery *= np.exp2(rng.integers(-90, 90, (50, 1))).astype(np.float32)
    expected = ranking.rank(scoring.Vectors(query, gallery), asking, searched, Junk(), identities=True)
    made = ranking_torch.rank(query, gallery, asking, searched, Junk(), device=device, identities=True)
    for name in ("starts", "ranks", "best", "rows", "identity"):
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name), err_msg=name)
    np.testing.assert_allclose(made.scores, expected.scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_neither_autocast_nor_a_lower_precision_reaches_the_scores(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without(device)
    rng = np.random.default_rng(0)
    asking, searched = codes(rng, 40, 0), codes(rng, 200, 40)
    # Whole numbers that single precision multiplies exactly, and less does not.
    query, gallery = (rng.integers(200, 600, (count, 32)).astype(np.float32) for count in (40, 200))
    expected = ranking.rank(scoring.Vectors(query, gallery, "dot"), asking, searched, Junk())
    meanwhile, count = [], ranking_torch._reaching

    def watched(*arguments: torch.Tensor, right: bool) -> torch.Tensor:
        meanwhile.append(precision())
        return count(*arguments, right=right)

    monkeypatch.setattr(ranking_torch, "_reaching", watched)
    torch.set_float32_matmul_precision("medium")
    before = precision()
    try:
        with torch.autocast(device, dtype=torch.bfloat16):
            made = ranking_torch.rank(query, gallery, asking, searched, Junk(), metric="dot", device=device)
        assert precision() == before
    finally:
        torch.set_float32_matmul_precision("highest")
    equal(made, expected)
    # A processor may have no use for less, so look at the switches too.
    assert set(meanwhile) == {("ieee", "ieee")} != {before}


def precision() -> tuple[str, str]:
    known: Any = torch.backends
    return known.cuda.matmul.fp32_precision, known.mkldnn.matmul.fp32_precision


def test_what_cannot_be_ranked_is_refused() -> None:
    rng = np.random.default_rng(0)
    asking, searched = codes(rng, 3, 0), codes(rng, 5, 3)
    query, gallery = np.ones((3, 2)), np.ones((5, 2))
    run = ranking_torch.rank
    with pytest.raises(UserError, match="unknown 'hamming'"):
        run(query, gallery, asking, searched, Junk(), metric="hamming", device="cpu")
    with pytest.raises(UserError, match="equally long"):
        run(query, gallery[:, :1], asking, searched, Junk(), device="cpu")
    with pytest.raises(UserError, match="scores of 2 queries x 5 gallery rows for lists of 3 x 5"):
        run(query[:2], gallery, asking, searched, Junk(), device="cpu")
    with pytest.raises(UserError, match="scores of 5 queries x 3 gallery rows"):
        ranking_torch.rank_distances(np.ones((5, 3)), asking, searched, Junk(), device="cpu")
    gallery[2, 1], gallery[4] = np.inf, 0
    with pytest.raises(
        UserError, match=r"0 of 3 query rows and 2 of 5 gallery rows .* no length, the first is gallery row 2"
    ):
        run(query, gallery, asking, searched, Junk(), device="cpu")
    with pytest.raises(UserError, match="1 of 5 gallery rows are not finite, the first is gallery row 2"):
        run(query, gallery, asking, searched, Junk(), device="cpu", metric="dot")
    matrix = np.ones((3, 5))
    matrix[1, 2] = np.nan
    with pytest.raises(UserError, match="row 1 of 3 is not finite"):
        ranking_torch.rank_distances(matrix, asking, searched, Junk(), device="cpu", chunk=1)
