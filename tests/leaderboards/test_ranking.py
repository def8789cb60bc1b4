"""Places are claims: they follow from tests, and from nothing else."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboards import history, ranking
from leaderboards.ranking import Key, Place, Task

Row = dict[str, Any]

ALL: Place = ("all", "all", None, None)
LOW: Place = ("query", "light", "Low", None)
CLEAN: Row = {
    "status": "ok",
    "provenance": "ran_here",
    "git_dirty": False,
    "lists_sha256": "l",
    "protocol_sha256": "p",
    "config_id": "c",
    "seed": 0,
    "ckpt_sha256": "w",
    "log_sha256": "g",
    "git_commit": "0",
    "deterministic": True,
    "n_nonfinite_q": 0,
    "n_nonfinite_g": 0,
    "ckpt_selection": "last",
    "measures_sha256": "m",
}


def run(run_id: str = "r", minute: int = 0, **facts: object) -> Row:
    return CLEAN | {"run_id": run_id, "started_at": datetime(2026, 1, 1, 0, minute, tzinfo=UTC)} | facts


def line(p: float | None = 0.001, low: float | None = 0.1, **facts: object) -> Row:
    """Make a row of pairs/1 in which the leader is better."""
    return {"difference": 0.2, "p": p, "p_flip": p, "ci_lo": low, "ci_hi": 0.3, "seeds": 5, "same_sign": True} | facts


def test_a_clean_run_may_be_ranked() -> None:
    assert history.unranked(run()) == ""
    assert history.unranked(run(provenance="rescored", seed=None, ckpt_sha256=None, log_sha256=None)) == ""
    verified: Row = {"provenance": "verified", "added_as": "rescored"}
    assert history.unranked(run(**verified, seed=None, log_sha256=None, deterministic=None)) == ""
    assert history.unranked(run(provenance="verified", ckpt_selection="val_best")) == ""


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"status": "failed", "error_class": "OutOfMemoryError"}, "failed (OutOfMemoryError)"),
        ({"status": "failed", "error_class": "X", "reason_code": "oom"}, "failed (oom)"),
        ({"status": "killed"}, "killed"),
        ({"status": "partial"}, "partial"),
        ({"broken": "its queries are not on the board"}, "broken: its queries are not on the board"),
        ({"flagged": True, "flag_reason": "a copy"}, "flagged: a copy"),
        ({"flagged": True, "flag_reason": None}, "flagged: no reason given"),
        ({"superseded_by": "0123456789"}, "superseded by 01234567"),
        ({"provenance": "literature"}, "provenance is literature"),
        ({"seed": None, "log_sha256": None}, "its record has no seed, log_sha256"),
        ({"ckpt_sha256": ""}, "its record has no ckpt_sha256"),
        ({"git_commit": None}, "its record has no git_commit"),
        ({"provenance": "rescored", "lists_sha256": None}, "its record has no lists_sha256"),
        ({"git_dirty": None}, "its record has no git_dirty"),
        ({"deterministic": None}, "its record has no deterministic"),
        ({"provenance": "verified", "added_as": "ran_here", "seed": None}, "its record has no seed"),
        ({"provenance": "verified", "log_sha256": None}, "its record has no log_sha256"),
        ({"git_dirty": True}, "the code had changes that no commit holds"),
        ({"deterministic": False}, "it ran in a way that is not deterministic"),
        ({"n_nonfinite_q": 2, "n_nonfinite_g": 1}, "3 vectors could not be scored"),
        ({"ckpt_selection": "test_best"}, "its weights were chosen on the test set"),
    ],
)
def test_what_may_not_be_ranked_says_why(facts: Row, said: str) -> None:
    assert history.unranked(run(**facts)) == said


def test_of_a_seed_that_ran_twice_the_first_counts_however_good_the_second_is() -> None:
    own = {"ckpt_sha256": "v"}
    rows = [
        run("b", 5, mAP=0.9),
        run("a", 1, mAP=0.1),
        run("c", 2, seed=1, **own),
        run("d", 3, status="failed", seed=2),
    ]
    counted, others = ranking.divided(rows)
    assert {row["run_id"] for row in counted} == {"a", "c"}
    assert {row["run_id"]: why for row, why in others} == {"b": "seed 0 was run again; the first counts", "d": "failed"}


def test_a_flagged_first_run_makes_room_for_the_second() -> None:
    counted, _ = ranking.divided([run("a", 1, flagged=True), run("b", 5)])
    assert [row["run_id"] for row in counted] == ["b"]


@pytest.mark.parametrize(("name", "words"), [("ckpt_sha256", "weights"), ("features_sha256", "vectors")])
def test_five_seeds_of_one_network_are_one(name: str, words: str) -> None:
    hashes = {"ckpt_sha256": None, "features_sha256": None, "provenance": "rescored"} | {name: "one"}
    rows = [run(f"{seed}" * 32, seed, seed=seed, **hashes) for seed in range(5)]
    other = run("9" * 32, 9, config_id="d", **hashes)
    counted, others = ranking.divided([*rows, other])
    assert [row["seed"] for row in counted] == [0]
    assert [why for _, why in others] == [f"has the {words} of run 00000000"] * 5


def test_one_network_ranked_otherwise_counts_and_hashes_that_nobody_gives_are_not_equal() -> None:
    plain, unknown = run("a", 1), {"ckpt_sha256": None, "features_sha256": None, "provenance": "rescored"}
    again = [run("b", 2, config_id="d", rerank="k"), run("c", 3, config_id="e", metric="cosine")]
    rows = [plain, *again, *(run(f"u{seed}", 4, seed=seed, config_id="u", **unknown) for seed in range(3))]
    counted, others = ranking.divided(rows)
    assert len(counted) == len(rows)
    assert others == []


def test_a_network_whose_first_run_does_not_count_may_count() -> None:
    counted, _ = ranking.divided([run("a", 1, flagged=True), run("b", 2, seed=1)])
    assert [row["run_id"] for row in counted] == ["b"]


def test_runs_whose_lists_were_measured_otherwise_do_not_meet() -> None:
    counted, others = ranking.divided([run("a", 1), run("b", 2, seed=1, measures_sha256="n", ckpt_sha256="v")])
    assert [row["run_id"] for row in counted] == ["a"]
    assert others[0][1] == "its lists were measured otherwise than those of the others"


def test_only_equal_lists_and_protocols_are_a_group() -> None:
    rows = [run("a"), run("b"), run("c", lists_sha256="other"), run("d", protocol_sha256="other")]
    groups = ranking.groups(rows)
    assert [[row["run_id"] for row in own] for own in groups.values()] == [["a", "b"], ["c"], ["d"]]


def test_five_seeds_in_common_are_needed() -> None:
    rows = {"a": [run(seed=seed) for seed in range(6)], "b": [run(seed=seed) for seed in range(1, 7)]}
    assert ranking.testable(rows, "a", "b")
    assert not ranking.testable({**rows, "b": rows["b"][1:]}, "a", "b")


def test_five_seeds_make_a_place() -> None:
    rows = {"a": [run(seed=seed) for seed in range(5)], "b": [run(seed=seed) for seed in range(4)], "c": [run()]}
    assert ranking.placed(rows) == {"a"}


def test_places_are_shared_until_the_leader_is_better() -> None:
    values = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.7}
    assert ranking.places(values, []) == dict.fromkeys("abcd", "=1")
    assert ranking.places(values, ["b", "c", "d"]) == {"a": "1", "b": "2", "c": "3", "d": "3"}
    assert ranking.places(values, ["b", "d"]) == {"a": "=1", "b": "2", "c": "=1", "d": "3"}
    assert ranking.places({}, []) == {}


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1), min_size=1), st.data())
def test_the_leader_is_never_beaten_and_no_place_is_better_than_the_value(
    values: dict[str, float], data: st.DataObject
) -> None:
    first = ranking.leader(values)
    beaten = data.draw(st.sets(st.sampled_from(sorted(values)))) - {first}
    places = {config: int(place.lstrip("=")) for config, place in ranking.places(values, beaten).items()}
    assert places[str(first)] == 1
    for config, place in places.items():
        assert (
            place == 1
            if config not in beaten
            else place == 1 + sum(other > values[config] for other in values.values())
        )
    first_places = [place for place in ranking.places(values, beaten).values() if place.lstrip("=") == "1"]
    unbeaten = len(values) - len(beaten)
    assert first_places[:unbeaten].count("1") <= 1
    assert ("=1" in first_places) == (unbeaten > 1)


def claim(row: Row) -> bool:
    task = Task("a", "b", ALL, "mAP")
    return ranking.claims({task: row})[task]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, True),
        ({"seeds": 4}, False),
        ({"same_sign": False}, False),
        ({"low": 0.0}, False),
        ({"low": None}, False),
        ({"p": 0.06}, False),
        ({"p_flip": 0.06}, False),
        ({"p_flip": None}, False),
        ({"p": math.nan}, False),
    ],
)
def test_better_needs_five_seeds_of_one_sign_an_interval_without_0_and_both_p(facts: Row, said: bool) -> None:
    assert claim(line(**facts)) is said


@pytest.mark.parametrize(("own", "other"), [(ALL, LOW), (LOW, ALL)])
def test_holm_counts_the_tests_of_a_metric_and_a_family_and_only_those(own: Place, other: Place) -> None:
    # .03 is small enough alone, and .02 is not as the smallest of three.
    tasks = [Task("a", rival, own, "mAP") for rival in "bcd"]
    alone = {tasks[0]: line(0.03), Task("a", "b", own, "R1"): line(0.9), Task("a", "b", other, "mAP"): line(0.9)}
    assert ranking.claims(alone)[tasks[0]]
    among = {tasks[0]: line(0.02), tasks[1]: line(0.03), tasks[2]: line(0.04)}
    assert not any(ranking.claims(among).values())


def against(rows: Mapping[tuple[str, str], Row]) -> Any:  # noqa: ANN401
    """Give every cell the same tests, by leader and rival."""

    def tests(leader: str) -> Mapping[Task, Row]:
        return {
            Task(leader, other, place, "mAP"): row
            for (one, other), row in rows.items()
            for place in (ALL, LOW)
            if one == leader
        }

    return tests


ALONE: Key = (ALL, "mAP")


def test_bold_is_who_is_better_than_every_other() -> None:
    values = {"a": 0.9, "b": 0.5, "c": 0.4}
    both = {("a", "b"): line(), ("a", "c"): line()}
    found = ranking.tested({ALONE: values}, values, ALONE, against(both))
    assert found.bold == {ALONE: "a"}
    assert found.beaten == {"b", "c"}
    assert found.tests == 2


def test_one_rival_who_cannot_be_tested_takes_the_bold_and_shares_the_place() -> None:
    values = {"a": 0.9, "b": 0.5, "c": 0.4}
    found = ranking.tested({ALONE: values}, values, ALONE, against({("a", "b"): line()}))
    assert found.bold == {}
    assert found.beaten == {"b"}
    assert found.untested == {"c"}


def test_what_a_test_found_stands_by_its_column_and_rival_corrected_over_the_family() -> None:
    values = {"a": 0.9, "b": 0.5, "c": 0.4}
    both = {("a", "b"): line(0.01), ("a", "c"): line(0.02)}
    found = ranking.tested({ALONE: values}, values, ALONE, against(both)).outcomes
    assert found == {
        (ALONE, "b"): ranking.Outcome(0.2, 0.1, 0.3, 0.01, 0.02),
        (ALONE, "c"): ranking.Outcome(0.2, 0.1, 0.3, 0.02, 0.02),
    }


def test_a_row_without_rivals_is_not_bold() -> None:
    assert ranking.tested({ALONE: {"a": 0.9}}, {"a": 0.9}, ALONE, against({})).bold == {}


def test_every_column_has_its_own_leader() -> None:
    low: Key = (LOW, "mAP")
    values = {ALONE: {"a": 0.9, "b": 0.5}, low: {"a": 0.1, "b": 0.5}}
    found = ranking.tested(values, values[ALONE], ALONE, against({("a", "b"): line(), ("b", "a"): line()}))
    assert found.bold == {ALONE: "a", low: "b"}


def test_who_has_no_value_in_a_column_is_no_rival_there() -> None:
    low: Key = (LOW, "mAP")
    values = {ALONE: {"a": 0.9, "b": 0.5}, low: {"a": 0.1}}
    found = ranking.tested(values, values[ALONE], ALONE, against({("a", "b"): line()}))
    assert found.bold == {ALONE: "a"}


def test_under_thirty_people_there_is_no_test_and_none_is_counted() -> None:
    values = {"a": 0.9, "b": 0.5}
    found = ranking.tested({ALONE: values}, values, ALONE, against({("a", "b"): line(None, None)}))
    assert found.tests == 0
    assert not found.bold
    assert found.untested == {"b"}
