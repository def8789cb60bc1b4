"""Protocols as data: what is refused, what is hashed, and that the page about them is true."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import config, filters
from benchmark.protocol import PROTOCOLS, Junk, Protocol, Trials, load

Mistake = Callable[..., AbstractContextManager[None]]

PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()

PLACES = st.integers(1, 2**15 - 1)

PLAIN: dict[str, Any] = {
    "name": "lab",
    "title": "ours",
    "train": {"split": "train"},
    "query": {"query": True, "camid": [1, 2]},
    "gallery": {"gallery": True},
}


def made(**more: object) -> Protocol:
    return config.check(Protocol, PLAIN | more, "lab.toml")


def test_one_value_and_a_list_of_one_are_the_same() -> None:
    assert made().query == {"query": [True], "camid": [1, 2]}
    assert made(gallery={"gallery": [True]}) == made()


@pytest.mark.parametrize(
    "same",
    [
        {"name": "other"},
        {"title": "theirs"},
        {"notes": ["read this"]},
        {"train": {"split": ["train", "val"]}},  # training data is recorded and may differ
        {"query": {"camid": [2, 1, 1], "query": [True]}},
        {"cmc": "first", "rank_by": "mAP", "invalid_queries": "skip", "junk": {"same_place": True}},
        {"trials": {"count": 1}},
    ],
)
def test_the_hash_does_not_change_with_what_decides_nothing(same: dict[str, Any]) -> None:
    assert made(**same).sha256 == made().sha256


def test_the_hash_changes_with_everything_that_decides() -> None:
    others: list[dict[str, Any]] = [
        {"query": {"query": True, "camid": 1}},
        {"query": {"query": True, "camid": ["1", "2"]}},
        {"query": {"query": True, "place": [1, 2]}},
        {"gallery": {"gallery": True, "camid": [1, 2]}},
        {"query": PLAIN["gallery"], "gallery": PLAIN["query"]},
        {"junk": {"same_place": False}},
        {"junk": {"place_pairs": [[1, 2]]}},
        {"junk": {"place_pairs": [[2, 1]]}},
        {"cmc": "dedup"},
        {"rank_by": "mAP_trapz"},
        {"invalid_queries": "count"},
        {"trials": {"count": 2, "sampler": "pyrandom"}},
        {"trials": {"count": 3, "sampler": "pyrandom"}},
        {"trials": {"count": 2, "sampler": "keyed"}},
        {"trials": {"count": 2, "sampler": "keyed", "seed": 1}},
        {"trials": {"count": 2, "sampler": "keyed", "shots": 2}},
        {"trials": {"count": 2, "sampler": "keyed", "first": 1}},
        {"trials": {"count": 2, "sampler": "keyed", "per": "identity"}},
        {"trials": {"count": 2, "sampler": "keyed", "role": "query"}},
        {"trials": {"count": 2, "sampler": "official", "official": "a-{t}"}},
        {"trials": {"count": 2, "sampler": "official", "official": "b-{t}"}},
    ]
    hashes = [made(**other).sha256 for other in others] + [made().sha256]
    assert len(set(hashes)) == len(hashes)


def test_the_order_of_place_pairs_says_nothing() -> None:
    pairs = [[[1, 2], [3, 4]], [[3, 4], [1, 2], [1, 2]]]
    assert len({made(junk={"place_pairs": one}).sha256 for one in pairs}) == 1


def test_the_defaults_are_those_that_the_hashes_stand_for() -> None:
    # Defaults are not in the hash: whoever changes one raises SCHEMA.
    assert Junk().model_dump() == {"same_place": True, "place_pairs": ()}
    numbers = {"count": 1, "first": 0, "shots": 1, "seed": 0}
    words = {"sampler": "all", "role": "gallery", "per": "identity-camera", "official": ""}
    assert Trials().model_dump() == numbers | words
    assert (made().cmc, made().rank_by, made().invalid_queries) == ("first", "mAP", "skip")


def test_the_number_of_the_trial_is_filled_in() -> None:
    repeated = made(query={"subsets": ["test-{t}", "all"], "camid": 1}, trials={"count": 10, "first": 1})
    assert repeated.filters("query", 0) == {"subsets": ["test-1", "all"], "camid": [1]}
    assert repeated.filters("query", 9)["subsets"] == ["test-10", "all"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"qeury": {}}, "unknown key 'qeury'; did you mean 'query'?"),
        ({"query": {}}, "query = {}: Dictionary should have at least 1 item"),
        ({"query": {"camid": []}}, "query.camid = []: an empty list selects nothing"),
        ({"query": {"camid": [[1]]}}, "must be a value, or a list of values"),
        ({"query": {"camid": {"above": 3}}}, "must be a value, or a list of values"),
        ({"query": {"exposure": float("nan")}}, "query.exposure = nan: must be a finite number"),
        ({"query": {"camid": 2**70}}, "larger than any number in a manifest"),
        ({"query": {"subsets": "test-{trial}"}}, "only {t}, the number of the trial, is filled in"),
        ({"query": {"subsets": "test-{t"}}, "only {t}, the number of the trial, is filled in"),
        ({"junk": {"same_plcae": True}}, "unknown key 'junk.same_plcae'; did you mean 'same_place'?"),
        ({"junk": {"same_place": "yes"}}, "junk.same_place = 'yes'"),
        ({"junk": {"place_pairs": [[0, 1]]}}, "junk.place_pairs.0.0 = 0"),
        ({"trials": {"sampler": "offical"}}, "trials.sampler = 'offical': Input should be 'all', 'keyed', 'pyrandom'"),
        ({"trials": {"count": 0}}, "trials.count = 0"),
        ({"trials": {"sampler": "pyrandom", "shots": 2}}, "pyrandom draws one row"),
        ({"trials": {"sampler": "official"}}, "names the set's own list under the key official"),
        ({"trials": {"sampler": "keyed", "official": "x"}}, "names the set's own list under the key official"),
        ({"trials": {"shots": 2}}, "shots says nothing where the sampler is all"),
        ({"trials": {"sampler": "pyrandom", "seed": 2}}, "seed says nothing where the sampler is pyrandom"),
        ({"trials": {"count": 5}}, "all trials are alike: no {t}, and no draw"),
        ({"trials": {"count": 5, "sampler": "official", "official": "list"}}, "all trials are alike"),
        ({"rank_by": "map"}, "rank_by = 'map'"),
        ({"cmc": "dedupe"}, "cmc = 'dedupe'"),
    ],
)
def test_a_slip_in_a_protocol_is_one_line(wrong: dict[str, Any], words: str, mistake: Mistake) -> None:
    with mistake("lab.toml: ", words):
        made(**wrong)


def test_a_file_of_ones_own_is_loaded_by_its_path_and_called_as_its_file(tmp_path: Path, mistake: Mistake) -> None:
    text = (PROTOCOLS.path("market-style")).read_text()
    (tmp_path / "mine.toml").write_text(text)
    mine = load(tmp_path / "mine.toml")
    assert mine.name == "mine"
    assert mine.sha256 == load("market-style").sha256
    (tmp_path / "mine.toml").write_text('name = "yours"\n' + text)
    with mistake("mine.toml: unknown key 'name'", "'mine'"):
        load(str(tmp_path / "mine.toml"))


def test_an_unknown_name_shows_the_nearest(mistake: Mistake) -> None:
    with mistake("no protocol is called 'night60'; did you mean 'night600'?"):
        load("night60")
    with mistake("absent.toml: cannot read"):
        load("absent.toml")


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_every_file_says_its_source_and_every_rule_aloud(name: str) -> None:
    text = PROTOCOLS.path(name).read_text()
    protocol = load(name)
    assert text.startswith("# ")
    assert protocol.title
    for key in ("cmc", "rank_by", "invalid_queries", "same_place"):
        assert re.search(rf"^{key} = ", text, re.MULTILINE), key
    assert max(len(line) for line in text.splitlines()) <= 120


def test_what_differs_in_names_only_is_one_protocol_and_the_rest_is_not() -> None:
    hashes: dict[str, list[str]] = {}
    for name in PROTOCOLS.names():
        hashes.setdefault(load(name).sha256, []).append(name)
    shared = [names for names in hashes.values() if len(names) > 1]
    assert shared == [["cuhk03-new", "market-style", "msmt17", "night600", "syn_dark"]]


def row(protocol: Protocol) -> str:
    """Write a protocol's line of the table in docs/protocols.md."""
    trials = protocol.trials
    drawn = f"{trials.count}"
    if trials.sampler != "all":
        drawn += f": {trials.sampler}, {trials.shots} per {trials.per} in {trials.role}"
    cells = [
        f"`{protocol.name}`",
        protocol.title,
        *(f"`{_filters(part)}`" for part in (protocol.train, protocol.query, protocol.gallery)),
        protocol.junk.words,
        drawn,
        protocol.cmc,
        f"{protocol.rank_by}, {protocol.invalid_queries}",
        f"`{protocol.sha256[:8]}`",
    ]
    return f"| {' | '.join(cells)} |"


def _filters(part: dict[str, list[filters.Value]]) -> str:
    return ", ".join(f"{name} = {filters.shown(values)}" for name, values in part.items())


def test_the_table_of_protocols_is_true() -> None:
    table = [line for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 11]
    assert table == [row(load(name)) for name in PROTOCOLS.names()]


def test_the_example_of_what_a_query_does_not_see_is_true() -> None:
    table = [line.split("|")[1:-1] for line in PAGE.splitlines() if re.match(r"\| (rank|[1-5]) \|", line)]
    head, *lines = [[cell.strip() for cell in row] for row in table]
    own = (7, 1, "own copy")
    # Who stands where, and whether it is the query's own file.
    others = [own, (7, 1, ""), (9, 1, ""), (7, 2, ""), (0, 1, "")]
    for place, name in enumerate(head[2:], 2):
        rules, rank = load(name.strip("`")).junk, 0
        for line, (pid, where, copy) in zip(lines, others, strict=True):
            if copy or (pid == 7 and where == 1 and rules.same_place) or (1, where) in rules.place_pairs:
                expected = copy or "same identity, same place"
            else:
                rank += 1
                expected = f"{'positive' if pid == 7 else 'negative'}, rank {rank}"
            assert line[place] == expected, (name, line)


@given(same_place=st.booleans(), pairs=st.lists(st.tuples(PLACES, PLACES), max_size=4))
def test_what_a_query_does_not_see_is_read_back_from_its_words(same_place: bool, pairs: list[tuple[int, int]]) -> None:
    rules = Junk(same_place=same_place, place_pairs=tuple(sorted(set(pairs))))
    assert Junk.read(rules.words) == rules


def test_every_protocol_of_ours_has_words_that_can_be_read_back() -> None:
    for name in PROTOCOLS.names():
        rules = load(name).junk
        assert Junk.read(rules.words).words == rules.words


@pytest.mark.parametrize(
    "words",
    [
        "",
        "same identity same place",
        "own copy; own copy",
        "own copy; everything",
        "own copy; place 2 for a query at place 0",
        "own copy; place 40000 for a query at place 1",
        "own copy; place 2 for a query at place 3; place 1 for a query at place 2",
    ],
)
def test_other_words_are_no_rules(words: str, mistake: Mistake) -> None:
    with mistake("junk_rule"):
        Junk.read(words)


def test_every_key_is_explained() -> None:
    keys = {*Protocol.model_fields, *Junk.model_fields, *Trials.model_fields} - {"name"}
    assert {key for key in keys if f"`{key}`" not in PAGE and f"`[{key}]`" not in PAGE} == set()


def test_the_example_on_the_page_is_a_protocol(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.toml").write_text(block)
        load(tmp_path / f"{number}.toml")
