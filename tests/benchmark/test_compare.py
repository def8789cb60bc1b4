"""Comparisons of bundles: against loops over stored ranks, and what is refused."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from benchmark import compare, compare_table, differences, results, sides
from benchmark.compare import Comparison, Line
from benchmark.lists import hash_table
from benchmark.results import Bundle
from benchmark.schemas import LISTS, QUERIES, STRATA

Mistake = Callable[..., AbstractContextManager[None]]
Row = dict[str, Any]

PEOPLE = 36
PROTOCOL = "p" * 64


def listed(role: str, position: int, pid: int, camid: int, trial: int | None = None) -> Row:
    """Make a row of a list: a light and a size that depend on who and where."""
    name = f"w/{role}-{pid:03d}-{camid}" + (f"-{position:03d}" if pid == 0 else "")
    dark, small = (pid + camid) % 3 == 0, pid % 2 == 0
    return {
        "role": role,
        "position": position,
        "image_id": name,
        "sha256": name.encode().hex().ljust(64, "0")[:64],
        "id_space": "w",
        "pid": pid,
        "camid": camid,
        "place": camid,
        "modality": "visible",
        "lightness": 10.0 if dark else 80.0,
        "stops": -9.0 if dark else -3.5,
        "size": 60.0 if small else 150.0,
        "trial": trial,
    }


def world(trial: int | None = None, shots: int = 2) -> list[Row]:
    """Lay out a query an identity at two cameras, gallery rows at others, and distractors."""
    query = [(pid, camid) for pid in range(1, PEOPLE + 1) for camid in (1, 2)]
    gallery = [(pid, 3 + shot) for pid in range(1, PEOPLE + 1) for shot in range(shots)] + [(0, 3)] * 30
    return [
        listed(role, position, *who, trial)
        for role, rows in (("query", query), ("gallery", gallery))
        for position, who in enumerate(rows)
    ]


def answers(lists: list[Row], skill: float, seed: int, trial: int = 0) -> list[Row]:
    """Rank the gallery by chance and skill, and count."""
    rng = np.random.default_rng([seed, int(10 * skill), trial])
    query = sorted((row for row in lists if row["role"] == "query"), key=lambda row: str(row["image_id"]))
    gallery = sorted((row for row in lists if row["role"] == "gallery"), key=lambda row: str(row["image_id"]))
    pids, places = (np.array([row[name] for row in gallery]) for name in ("pid", "position"))
    rows = []
    for asked in query:
        positive = pids == asked["pid"]
        scores = rng.standard_normal(len(gallery)) + skill * positive
        order = np.argsort(-scores)
        ranks = np.flatnonzero(positive[order]) + 1
        rows.append(
            {name: asked[name] for name in ("image_id", "id_space", "pid", "camid")}
            | {
                "run_id": "r",
                "trial": trial,
                "query_idx": asked["position"],
                "first_rank": int(ranks[0]) if len(ranks) else 0,
                "n_pos": len(ranks),
                "n_junk": 0,
                "n_gallery_eff": len(gallery),
                "pos_ranks": ranks.tolist(),
                "pos_gidx": places[order][ranks - 1].tolist(),
                "n_ties": 0,
                "first_rank_id": int(ranks[0]) + 1 if len(ranks) else 0,
            }
        )
    return rows


def bundle(lists: list[Row], rows: list[Row], seed: int | None, **facts: object) -> Bundle:
    table = pa.Table.from_pylist(lists, LISTS)
    known = {
        "status": "ok", "provenance": "ran_here", "method": "net", "config_id": "c" * 64, "seed": seed,
        "protocol_id": "market", "protocol_sha256": PROTOCOL, "lists_sha256": hash_table(table), "n_trials": 1,
        "cmc_kind": "first",
    }  # fmt: skip
    record = results.run_record(run_id="r", **(known | facts))
    tables = {"lists": table, "queries": pa.Table.from_pylist(rows, QUERIES), "strata": STRATA.empty_table()}
    return Bundle(record, tables)


def write(folder: Path, skill: float, seeds: Sequence[int | None], **facts: object) -> Path:
    """Write a side: a bundle a seed."""
    lists = world()
    for place, seed in enumerate(seeds):
        number = -1 if seed is None else seed
        results.write(bundle(lists, answers(lists, skill, abs(number)), seed, **facts), folder / f"run{place}")
    return folder


def ap(ranks: Sequence[int]) -> float:
    return float(np.mean([(place + 1) / rank for place, rank in enumerate(ranks)]))


def line(found: Comparison, metric: str = "mAP", cut: str = "all", **levels: str) -> Line:
    (one,) = [
        one
        for one in found.lines
        if (one.metric, one.cut) == (metric, cut) and all(getattr(one, name) == value for name, value in levels.items())
    ]
    return one


def shown(found: Comparison) -> str:
    console = Console(width=160, highlight=False, markup=False)
    with console.capture() as capture:
        for part in compare_table.lines(found):
            console.print(part, soft_wrap=isinstance(part, str))
    return capture.get()


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give a good side and a poor one, of five seeds each."""
    root = tmp_path_factory.mktemp("five")
    good = write(root / "good", 2.5, range(5), method="good")
    return good, write(root / "poor", 1.5, range(5), method="poor", config_id="d" * 64)


@pytest.fixture(scope="module")
def found(five: tuple[Path, Path]) -> Comparison:
    return compare.compare(*five)


def test_the_whole_equals_a_loop_over_stored_ranks(found: Comparison) -> None:
    lists = world()
    means = {
        metric: [
            [np.mean([score(row["pos_ranks"]) for row in answers(lists, skill, seed)]) for seed in range(5)]
            for skill in (2.5, 1.5)
        ]
        for metric, score in (
            ("mAP", ap),
            ("R1", lambda ranks: float(ranks[0] == 1)),
            ("mINP", lambda ranks: len(ranks) / ranks[-1]),
        )
    }
    for metric, (good, poor) in means.items():
        one = line(found, metric).found
        assert (one.a, one.b) == pytest.approx((np.mean(good), np.mean(poor)))
        assert one.difference == pytest.approx(np.mean(good) - np.mean(poor))
        assert (one.sd_seeds_a, one.sd_seeds_b) == pytest.approx((np.std(good, ddof=1), np.std(poor, ddof=1)))
        assert (one.seeds, one.identities, one.queries) == (5, PEOPLE, 2 * PEOPLE)
        assert np.isnan(line(found, metric).sd_trials_a)


def test_a_level_equals_a_loop_over_its_queries_and_positives(five: tuple[Path, Path], found: Comparison) -> None:
    lists = world()
    dark = {
        role: {r["position"] for r in lists if r["role"] == role and r["lightness"] < 25}
        for role in ("query", "gallery")
    }
    whole, pairs = list[float](), list[float]()
    for row in answers(lists, 2.5, 0):
        if row["query_idx"] not in dark["query"]:
            continue
        whole.append(ap(row["pos_ranks"]))
        kept, removed = list[int](), 0
        for rank, place in zip(row["pos_ranks"], row["pos_gidx"], strict=True):
            kept += [rank - removed] if place in dark["gallery"] else []
            removed += place not in dark["gallery"]
        pairs += [ap(kept)] if kept else []
    alone = compare.compare(five[0] / "run0", five[1] / "run0")
    query = next(one for one in alone.lines if one.cut == "query" and one.q_stratum == "Low" and one.metric == "mAP")
    pair = line(alone, cut="pair_pos", q_stratum="Low", g_stratum="Low")
    assert query.scheme_id.startswith("night600-light@")
    assert [query.found.a, pair.found.a] == pytest.approx([np.mean(whole), np.mean(pairs)])
    assert [query.found.queries, pair.found.queries] == [len(whole), len(pairs)]
    assert 0 < len(pairs) < len(whole) < 2 * PEOPLE
    assert {(one.scheme_id, one.cut) for one in alone.lines} == {(one.scheme_id, one.cut) for one in found.lines}


def test_with_five_seeds_that_agree_better_is_said(five: tuple[Path, Path], found: Comparison) -> None:
    assert line(found).claim == "better"
    assert line(compare.compare(five[1], five[0], flips=100)).claim == "worse"
    text = shown(found)
    assert "good is better than poor by" in text
    for words in (
        "lists " + found.lists_sha256[:8],
        "protocol pppppppp",
        "by market",
        "seed 0, seed 1",
        "associations",
    ):
        assert words in text
    assert "(sd_seeds)" in text
    assert "sd_trials" not in text
    assert "(icc)" in text
    least = 100 * differences.detectable(line(found).found.se, line(found).found.df)
    assert f"a true difference of {least:.2f} points of mAP would be found in 4 of 5 such comparisons" in text


def test_fewer_seeds_only_describe(five: tuple[Path, Path], tmp_path: Path) -> None:
    four = write(tmp_path / "four", 2.5, range(4), method="good")
    found = compare.compare(four, five[1])
    one = line(found)
    assert one.found.low > 0
    assert one.found.same_sign
    assert {line.claim for line in found.lines} == {""}
    assert "a claim needs 5 seeds" in compare_table.sentence(found)
    assert [note for note in found.notes if "seed 4 left out" in note] == [
        f"{five[1]}: seed 4 left out, the other side has none such"
    ]


def test_a_side_against_itself_has_no_difference(five: tuple[Path, Path]) -> None:
    found = compare.compare(five[0], five[0])
    for one in found.lines:
        assert one.found.difference == 0
        assert one.claim == ""
        if one.found.identities >= 30:
            assert (one.found.low, one.found.high, one.found.p, one.found.p_flip, one.p_holm) == (0, 0, 1, 1, 1)
    assert "no difference between good (good) and good (good) is shown: the interval holds 0" in shown(found)


def test_levels_of_a_scheme_pay_for_each_other(found: Comparison) -> None:
    families: dict[tuple[str, str, str], list[Line]] = {}
    for one in found.lines:
        families.setdefault((one.cut, one.scheme_id, one.metric), []).append(one)
    assert max(len(own) for own in families.values()) > 2
    for own in families.values():
        tested = sorted((max(one.found.p, one.found.p_flip), one.p_holm) for one in own if not np.isnan(one.p_holm))
        assert {np.isnan(one.found.p) for one in own if np.isnan(one.p_holm)} <= {True}
        if tested:
            assert tested[0][1] == pytest.approx(min(1, len(tested) * tested[0][0]))
    few = [one for one in found.lines if one.found.identities < 30]
    assert few
    assert {(one.found.method, one.claim) for one in few} == {("none", "")}


def test_equal_lists_in_another_order_are_the_same(five: tuple[Path, Path], found: Comparison, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lists = world()
    moved = {role: rng.permutation(sum(row["role"] == role for row in lists)).tolist() for role in ("query", "gallery")}
    lists = [row | {"position": moved[row["role"]][row["position"]]} for row in lists]
    for seed in range(5):
        rows = answers(lists, 1.5, seed)
        order = rng.permutation(len(rows))
        made = bundle([lists[i] for i in rng.permutation(len(lists))], [rows[i] for i in order], seed, method="poor")
        results.write(made, tmp_path / "poor" / f"run{seed}")
    other = compare.compare(five[0], tmp_path / "poor")
    again = {(one.cut, one.scheme_id, one.q_stratum, one.g_stratum, one.metric): one for one in other.lines}
    assert len(again) == len(found.lines)
    for one in found.lines:
        twin = again[one.cut, one.scheme_id, one.q_stratum, one.g_stratum, one.metric]
        for name in ("a", "b", "low", "high", "p", "p_flip"):
            assert getattr(twin.found, name) == pytest.approx(getattr(one.found, name), nan_ok=True)
    turned = line(compare.compare(tmp_path / "poor", five[0])).found
    assert (turned.low, turned.p_flip) == pytest.approx((-line(found).found.high, line(found).found.p_flip))


def test_each_query_is_averaged_over_trials_first(tmp_path: Path) -> None:
    # In the second trial the gallery has one row an identity, and only half of the queries are asked.
    first, second = world(0), world(1, shots=1)
    second = [row for row in second if row["role"] == "gallery" or row["position"] < PEOPLE]
    rows = {skill: [answers(first, skill, 0, 0), answers(second, skill, 0, 1)] for skill in (2.5, 1.5)}
    for skill, parts in rows.items():
        results.write(bundle([*first, *second], parts[0] + parts[1], 0, n_trials=2), tmp_path / f"{skill}")
    found = line(compare.compare(tmp_path / "2.5", tmp_path / "1.5"))
    values: dict[str, list[float]] = {}
    for row in rows[2.5][0] + rows[2.5][1]:
        values.setdefault(row["image_id"], []).append(ap(row["pos_ranks"]))
    assert found.found.a == pytest.approx(np.mean([np.mean(own) for own in values.values()]))
    trials = [np.mean([ap(row["pos_ranks"]) for row in part]) for part in rows[2.5]]
    assert found.sd_trials_a == pytest.approx(np.std(trials, ddof=1))
    assert found.found.queries == 2 * PEOPLE
    text = shown(compare.compare(tmp_path / "2.5", tmp_path / "1.5"))
    assert "(sd_trials)" in text
    assert "by market, 2 trials" in text


def test_r1_among_identities_is_that_of_the_protocol(tmp_path: Path) -> None:
    a = write(tmp_path / "a", 2.5, [0], cmc_kind="dedup")
    b = write(tmp_path / "b", 2.5, [0])
    found, plain = compare.compare(a, a), compare.compare(b, b)
    # Nobody else is ahead of the first match, or somebody is: images and identities say the same of rank 1.
    pairs = [(one.found.a, other.found.a) for one, other in zip(found.lines, plain.lines, strict=True)]
    assert all(one == other for one, other in pairs)
    assert {one.metric for one in found.lines if one.cut == "pair_pos"} == {"mAP", "R1", "mINP"}


def test_flat_rows_make_a_table(found: Comparison) -> None:
    rows = compare.table(found)
    made = pa.Table.from_pylist(rows)
    assert len(made) == len(found.lines)
    wanted = {
        "run_ids_a", "run_ids_b", "lists_sha256", "protocol_sha256", "scheme_id", "cut", "q_stratum", "g_stratum",
        "metric", "a", "b", "difference", "low", "high", "df", "p", "p_flip", "p_holm", "seeds", "identities",
        "sd_seeds_a", "sd_seeds_b", "sd_trials_a", "same_sign", "claim",
    }  # fmt: skip
    assert wanted <= set(made.column_names)
    assert rows[0]["run_ids_a"] == ["r"] * 5
    assert rows[0]["difference"] == found.lines[0].found.difference


def test_a_run_without_seed_meets_only_another(tmp_path: Path, mistake: Mistake) -> None:
    a, b, c = (write(tmp_path / name, 2.0, seeds) for name, seeds in (("a", [None]), ("b", [None, 1]), ("c", [1])))
    assert compare.compare(a, b).seeds == (None,)
    with mistake(a, c, "no seed in common", "a run without seed", "seed 1"):
        compare.compare(a, c)


def test_other_lists_or_another_protocol_are_refused(five: tuple[Path, Path], tmp_path: Path, mistake: Mistake) -> None:
    protocol = write(tmp_path / "protocol", 2.0, [0], protocol_sha256="q" * 64)
    with mistake(protocol / "run0", "another protocol than", "qqqqqqqq", "pppppppp"):
        compare.compare(five[0], protocol)
    lists = world()
    lists[-1]["camid"] = 4
    results.write(bundle(lists, answers(lists, 2.0, 0), 0), tmp_path / "lists")
    with mistake(tmp_path / "lists", "other lists than", "lists_sha256"):
        compare.compare(five[0], tmp_path / "lists")
    unknown = write(tmp_path / "unknown", 2.0, [0], protocol_sha256=None)
    with mistake(unknown / "run0", "no protocol_sha256"):
        compare.compare(unknown, five[0])


def test_one_side_is_the_seeds_of_one_configuration(tmp_path: Path, mistake: Mistake) -> None:
    mixed = write(tmp_path / "mixed", 2.0, [0, 1])
    lists = world()
    results.write(bundle(lists, answers(lists, 2.0, 2), 2, config_id="e" * 64), mixed / "run2")
    with mistake(mixed, "holds 2 configurations (cccccccc, eeeeeeee)"):
        sides.side(mixed)
    twice = write(tmp_path / "twice", 2.0, [3, 4, 3])
    with mistake(twice, "seed 3 is there more than once (run0, run2)"):
        sides.side(twice)


@pytest.mark.parametrize("status", ["failed", "killed", "partial"])
def test_a_run_that_did_not_end_well_is_refused(tmp_path: Path, mistake: Mistake, status: str) -> None:
    side = write(tmp_path / "side", 2.0, [0])
    results.write(Bundle(results.run_record(run_id="x", status=status, provenance="ran_here")), side / "run1")
    with mistake(side / "run1", repr(status), "'ok'"):
        sides.side(side)


def test_a_number_from_the_literature_is_never_tested(tmp_path: Path, mistake: Mistake) -> None:
    record = results.run_record(run_id="x", status="partial", provenance="literature", mAP=0.9)
    results.write(Bundle(record), tmp_path)
    with mistake(tmp_path, "literature", "never tested"):
        sides.side(tmp_path)


def test_a_folder_without_bundles_and_a_run_that_never_ended(tmp_path: Path, mistake: Mistake) -> None:
    with mistake(tmp_path / "none", "is no folder"):
        sides.side(tmp_path / "none")
    (tmp_path / "figures").mkdir()
    with mistake(tmp_path, "no run.json"):
        sides.side(tmp_path)
    side = write(tmp_path / "side", 2.0, [0, 1])
    (side / "run1" / "run.json").unlink()
    assert [note.split(": ")[1] for note in sides.side(side).notes] == [
        "has no run.json, so the run never ended; left out"
    ]
    assert sides.side(side).seeds == [0]


def test_runs_with_vectors_that_could_not_be_scored_say_so(five: tuple[Path, Path], tmp_path: Path) -> None:
    side = write(tmp_path / "side", 2.0, [0], n_nonfinite_q=3, n_nonfinite_g=1)
    assert f"{side / 'run0'}: 4 vectors could not be scored" in shown(compare.compare(side, five[0]))


def test_lists_that_were_measured_otherwise_are_refused(
    five: tuple[Path, Path], tmp_path: Path, mistake: Mistake
) -> None:
    lists = world()
    lists[0]["size"] = 150.0 if lists[0]["size"] < 100 else 60.0
    results.write(bundle(lists, answers(lists, 2.0, 0), 0), tmp_path)
    with mistake(tmp_path, "holds other queries than in", "measured otherwise"):
        compare.compare(five[0], tmp_path)


@pytest.mark.parametrize("fault", ["positions", "queries"])
def test_a_bundle_at_odds_with_itself_is_refused(
    five: tuple[Path, Path], tmp_path: Path, mistake: Mistake, fault: str
) -> None:
    lists = world()
    rows = answers(lists, 2.0, 0)
    if fault == "positions":
        lists[-1]["position"] += 1
    else:
        rows[0]["image_id"] = "w/nobody"
    results.write(bundle(lists, rows, 0), tmp_path)
    with mistake(tmp_path, "without a gap" if fault == "positions" else "has other queries than lists.parquet"):
        compare.compare(five[0], tmp_path)


def test_too_few_people_are_said_to_be_too_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PEOPLE", 12)
    a, b = write(tmp_path / "a", 2.0, range(5)), write(tmp_path / "b", 1.0, range(5))
    found = compare.compare(a, b)
    assert "n too small, 12 identities" in compare_table.sentence(found)
    assert "would be found" not in shown(found)
    assert {one.claim for one in found.lines} == {""}


def test_the_sentence_says_why_nothing_is_claimed(found: Comparison) -> None:
    whole = line(found)

    def told(p_holm: float = 0.001, **facts: Any) -> str:  # noqa: ANN401
        other = replace(whole, claim="", p_holm=p_holm, found=replace(whole.found, **facts))
        return compare_table.sentence(replace(found, lines=(other,)))

    assert "the interval holds 0" in told(low=-0.1)
    assert "the seeds do not agree" in told(same_sign=False)
    assert "p after Holm is .070, above 0.05" in told(0.07)


def test_many_cells_are_not_printed_one_by_one(found: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Low -> Low" in shown(found)
    monkeypatch.setattr(compare_table, "MANY", 1)
    text = shown(found)
    assert "Low -> Low" not in text
    assert "mAP, queries by night600-light: 2 cells, too many for a terminal" in text
