"""What readers of names share: folders, names, roots, lists, and everything that fits nowhere."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark import grammar
from benchmark.errors import UserError
from benchmark.grammar import Names, Part

PARTS = (Part("train", "train"), Part("deep/query", "test", query=True, subsets=("q", "a")))
PATTERN = r"(?P<pid>-1|\d+)_c(?P<camid>[0-9]*)(?:_(?P<tail>[^/]*))?\.jpg"
LIKE = "train/1_c1.jpg"


def lay_out(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def find(root: Path, unmatched: str = "error", ignored: Mapping[str, str] | None = None) -> Names:
    return grammar.find(root, PARTS, PATTERN, LIKE, unmatched=unmatched, ignored=ignored or {})


def refusal(root: Path, unmatched: str = "error") -> str:
    with pytest.raises(UserError) as error:
        find(root, unmatched)
    return str(error.value)


def test_fields_and_folders_of_every_picture(tmp_path: Path) -> None:
    # "deep/query" sorts before "train" though it is named after it, and "train.old" between "train" and "train/".
    names = find(lay_out(tmp_path, "train/7_c2_x.jpg", "train/-1_c.jpg", "deep/query/7_c1.jpg"))
    assert names.paths == ["deep/query/7_c1.jpg", "train/-1_c.jpg", "train/7_c2_x.jpg"]
    assert [names.parts[place].folder for place in names.part] == ["deep/query", "train", "train"]
    assert {name: list(texts) for name, texts in names.fields.items()} == {
        "pid": ["7", "-1", "7"],
        "camid": ["1", "", "2"],
        "tail": ["", "", "x"],
    }
    columns = {name: list(map(str, pa.array(values).to_pylist())) for name, values in names.columns().items()}
    assert columns["split"] == ["test", "train", "train"]
    assert columns["query"] == ["True", "False", "False"]
    assert columns["subsets"] == ["['q', 'a']", "[]", "[]"]
    assert names.numbers("pid").tolist() == [7, -1, 7]
    assert names.numbers("camid").tolist() == [1, 0, 2]
    assert names.notes == []


def test_it_agrees_with_a_plain_search_over_drawn_trees(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    folders = ["train", "train/sub", "trai", "train0", "train.old", "deep", "deep/query", "deep/query2", "other"]
    stems = ["1_c1", "0002_c12_a", "-1_c", "x_c1", "1_c1_a b", "1-c1", "3_c4_"]
    for turn in range(12):
        root = tmp_path / str(turn)
        drawn = [f"{folder}/{stem}{ending}" for folder in folders for stem in stems for ending in (".jpg", ".png")]
        kept = [path for path in drawn if rng.random() < 0.4] + [
            "train/9_c9.jpg",
            "deep/query/9_c9.jpg",
            "train01_c1.jpg",
        ]
        lay_out(root, *rng.permutation(kept).tolist())
        fits = [
            path for path in sorted(set(kept)) if any(re.fullmatch(f"{part.folder}/{PATTERN}", path) for part in PARTS)
        ]
        names = find(root, "skip")
        assert names.paths == fits
        assert f"skipped: {len(set(kept)) - len(fits)} of {len(set(kept))} names" in names.notes[-1]


def test_names_that_do_not_parse_are_counted_and_three_are_shown(tmp_path: Path) -> None:
    odd = ["a.jpg", "other/1_c1.jpg", "train/1_c1.png", "train/sub/1_c1.jpg"]
    root = lay_out(tmp_path, "train/1_c1.jpg", "deep/query/1_c1.jpg", *odd)
    text = f"4 of 6 names do not parse: {', '.join(odd[:3])}, ...; must be like {LIKE}"
    assert refusal(root) == f"{root}: {text}; --set unmatched=skip skips them"
    assert find(root, "skip").notes == [f"skipped: {text}"]


def test_nothing_that_parses_is_refused_even_where_strangers_are_skipped(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "train/a.jpg", "deep/query/b.jpg")
    assert refusal(root, "skip").endswith(
        f"2 of 2 names do not parse: deep/query/b.jpg, train/a.jpg; must be like {LIKE}"
    )


LEFT = ("more/a.jpg", "more/b/c.jpg", "sheet.png", "x.txt")


def test_what_is_known_and_not_wanted_is_a_note(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path, "train/1_c1.jpg", "deep/query/1_c1.jpg", "more/a.jpg", "more/b/c.jpg", "sheet.png", "x.txt"
    )
    notes = find(root, ignored={"more": "not asked for", "sheet.png": "a sheet", "absent": "never"}).notes
    assert notes == [
        "more/: 2 pictures left out: not asked for",
        "sheet.png: 1 picture left out: a sheet",
        "1 files that are no pictures are ignored",
    ]


@pytest.mark.parametrize("unmatched", ["error", "skip"])
def test_a_folder_that_is_missing_or_empty(unmatched: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "set", "train/1_c1.jpg")
    assert refusal(root, unmatched) == f"{root}: must hold deep/query/"
    lay_out(root, "deep/query/readme.txt")
    assert refusal(root, unmatched).startswith(f"{root / 'deep/query'}: no picture found; a picture ends in .jpg")
    (root / "deep" / "query" / "readme.txt").unlink()
    (root / "deep" / "query").rmdir()
    (root / "deep" / "query").symlink_to(root / "train")
    assert refusal(root, unmatched).endswith("links to folders are not followed")


def test_a_part_that_is_not_required_is_missed_aloud(tmp_path: Path) -> None:
    parts = [part._replace(required=False) for part in PARTS]
    names = grammar.find(lay_out(tmp_path / "a", "train/1_c1.jpg"), parts, PATTERN, LIKE)
    assert names.notes == ["deep/query/ is not there"]
    with pytest.raises(UserError, match=r"must hold train/ or deep/query/$"):
        grammar.find(lay_out(tmp_path / "b", "x/1_c1.jpg"), parts, PATTERN, LIKE)


def test_the_root_itself_can_be_the_part(tmp_path: Path) -> None:
    names = grammar.find(lay_out(tmp_path, "1_c1.jpg", "2_c1.jpg"), [Part("")], PATTERN, LIKE)
    assert names.paths == ["1_c1.jpg", "2_c1.jpg"]


def test_two_spellings_that_differ_only_in_case(tmp_path: Path) -> None:
    root = lay_out(tmp_path, "train/1_c1_a.jpg", "deep/query/1_c1.jpg", "train/1_c1_A.jpg", "train/2_c1.jpg")
    assert "train/1_c1_A.jpg and train/1_c1_a.jpg differ only in case" in refusal(root)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("1_c40000.jpg", "camid is 40000, must be at most 32767"),
        ("1_c99999999999999999999999.jpg", "camid is 99999999999999999999999, must be at most 32767"),
    ],
)
def test_numbers_that_no_column_holds(name: str, said: str, tmp_path: Path) -> None:
    names = find(lay_out(tmp_path, "train/1_c1.jpg", f"train/{name}", "deep/query/1_c1.jpg"))
    with pytest.raises(UserError, match=re.escape(f"{tmp_path}: train/{name}: {said}")):
        names.numbers("camid")


def test_unknown_cameras_are_named_with_those_that_are_known(tmp_path: Path) -> None:
    names = find(lay_out(tmp_path, "train/1_c7.jpg", "deep/query/1_c6.jpg"))
    assert names.numbers("camid", 1, 7).tolist() == [6, 7]
    with pytest.raises(UserError, match=r"train/1_c7\.jpg: camid is 7, must be 1 to 6"):
        names.numbers("camid", 1, 6)


def test_a_digit_of_another_script_is_no_digit(tmp_path: Path) -> None:
    assert "1 of 3 names do not parse" in refusal(
        lay_out(tmp_path, "train/1_c1.jpg", "deep/query/1_c1.jpg", "train/\u0663_c1.jpg")
    )


def test_kept_rows_keep_their_fields(tmp_path: Path) -> None:
    names = find(lay_out(tmp_path, "train/1_c1.jpg", "train/2_c2.jpg", "deep/query/3_c3.jpg"))
    kept = names.keep(np.array([True, False, True]), ["why"])
    assert (kept.paths, list(kept.fields["pid"]), kept.part.tolist()) == (
        ["deep/query/3_c3.jpg", "train/2_c2.jpg"],
        ["3", "2"],
        [1, 0],
    )
    assert kept.notes == ["why"]


LAYOUTS = {"v1": (Part("train"), Part("test")), "v2": (Part("train_v2"), Part("test_v2"))}


def test_one_layout_of_several_is_found(tmp_path: Path) -> None:
    assert grammar.layout(lay_out(tmp_path / "a", "train/x.jpg", "test/x.jpg", "train_v2/x.jpg"), LAYOUTS) == "v1"
    assert grammar.layout(lay_out(tmp_path / "b", "train_v2/x.jpg", "test_v2/x.jpg"), LAYOUTS) == "v2"


def test_two_versions_in_one_root_are_refused(tmp_path: Path) -> None:
    root = lay_out(tmp_path, *(f"{part.folder}/x.jpg" for parts in LAYOUTS.values() for part in parts))
    with pytest.raises(UserError, match=r"holds v1 \(train/, test/\) and v2 \(train_v2/, test_v2/\)"):
        grammar.layout(root, LAYOUTS)


@pytest.mark.parametrize("below", ["", "train", "missing"])
def test_the_right_root_is_looked_for_one_folder_up_and_one_down(below: str, tmp_path: Path) -> None:
    root = lay_out(tmp_path / "place" / "set", "train/x.jpg", "test/x.jpg")
    lay_out(tmp_path / "place" / "also", "train/x.jpg")
    wrong = root / below if below else root.parent
    for ask in (lambda: grammar.layout(wrong, LAYOUTS), lambda: grammar.find(wrong, LAYOUTS["v1"], PATTERN, LIKE)):
        with pytest.raises(UserError) as error:
            ask()
        found = f"; {root} looks right: give that folder as the root"
        assert str(error.value).endswith("no such folder" if below == "missing" else found)


def test_no_root_is_made_up(tmp_path: Path) -> None:
    lay_out(tmp_path / "place" / "set", "train/x.jpg")
    with pytest.raises(UserError) as error:
        grammar.layout(tmp_path / "place", LAYOUTS)
    assert str(error.value) == f"{tmp_path / 'place'}: must hold train/, test/ or train_v2/, test_v2/"


def test_the_current_folder_knows_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay_out(tmp_path / "set", "train/x.jpg", "test/x.jpg")
    monkeypatch.chdir(root / "train")
    with pytest.raises(UserError, match=f"{root} looks right"):
        grammar.layout(Path(), LAYOUTS)


def test_lists_that_name_what_is_not_there(tmp_path: Path) -> None:
    grammar.require(tmp_path, "list.txt", ["a"], ["a", "b"])
    with pytest.raises(UserError, match=r"list\.txt names 4 pictures not there: b, c, d, \.\.\.$"):
        grammar.require(tmp_path, "list.txt", ["e", "a", "d", "b", "c"], {"a": 1})
