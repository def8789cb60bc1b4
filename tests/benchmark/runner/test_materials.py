"""What a recipe's names mean: rows, domains, hashes; and nobody is learnt and tested."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark import leaks, manifest
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.runner import weights
from benchmark.runner.interfaces import World
from benchmark.runner.materials import gather, synth_recipe
from tests.benchmark.runner import colours, painted


@pytest.fixture(scope="module")
def set_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.world(tmp_path_factory.mktemp("set"))


def test_the_protocol_says_who_is_trained_on_unless_the_part_does(set_of: Path, tmp_path: Path) -> None:
    by_protocol = gather(painted.job(tmp_path, set_of))
    assert set(by_protocol.sources[0].manifest.column("split")) == {"train"}
    parts = [{"data": "painted", "rows": {"split": ["train"], "camid": [1, 2]}, "name": "two"}]
    by_part = gather(painted.job(tmp_path, set_of, train=parts))
    assert by_part.sources[0].name == "two"
    assert set(by_part.sources[0].manifest.column("camid")) == {1, 2}
    # The rows, not the file, are what is trained on: another choice has another hash.
    assert by_part.train_sets[0]["labels_sha256"] != by_protocol.train_sets[0]["labels_sha256"]
    assert by_part.lists is not None
    assert by_protocol.lists is not None
    assert by_part.lists.lists_sha256 == by_protocol.lists.lists_sha256


def test_who_is_trained_on_and_tested_is_refused_in_any_part(set_of: Path, tmp_path: Path) -> None:
    # The same people by day, in a set of its own: only the name space tells that they are the same.
    found = manifest.read(set_of)
    day = found.table.set_column(found.table.column_names.index("source"), "source", [["day"] * len(found)])
    day = day.set_column(
        day.column_names.index("image_id"), "image_id", [[f"day/{path}" for path in day["path"].to_pylist()]]
    )
    manifest.write(manifest.Manifest(day, {"day": set_of.parent}), tmp_path / "day.parquet")
    job = painted.job(
        tmp_path, set_of, train=[{"data": "painted"}, {"data": "day", "rows": {"split": ["train", "test"]}}]
    )
    bound = job.settings.data | {"day": tmp_path / "day.parquet"}
    job = replace(job, settings=job.settings.model_copy(update={"data": bound}))
    with pytest.raises(
        UserError, match=r"^day: 8 identities \(such as painted/2\) trained on and in \[query\] of plan$"
    ):
        gather(job)


def test_a_backbone_that_saw_the_tested_people_is_refused(set_of: Path, tmp_path: Path) -> None:
    lists = gather(painted.job(tmp_path, set_of)).lists
    assert lists is not None
    network = colours.build(colours.Config(), _world())
    for people, refused in ((["painted/2", "painted/1"], True), (["painted/1", "elsewhere/2"], False)):
        names = [leaks.digest(space, int(pid)) for space, _, pid in (one.partition("/") for one in people)]
        path = tmp_path / "w.safetensors"
        weights.write(path, network.backbone, ["a"], "r", people="\n".join(names))
        if refused:
            with pytest.raises(UserError, match=r"was trained on 1 identity \(such as painted/2\) of \[query\]"):
                leaks.refuse_listed(path, weights.people(path), [lists])
        else:
            leaks.refuse_listed(path, weights.people(path), [lists])


def test_somebody_of_the_gallery_alone_is_refused_too(set_of: Path, tmp_path: Path) -> None:
    found = manifest.read(set_of)
    asks = found.column("query").astype(bool) & (found.column("pid").astype(int) != 4)
    manifest.write(found.with_columns(query=asks.tolist()), set_of.parent / "gallery-only.parquet")
    lists = gather(painted.job(tmp_path, set_of.parent / "gallery-only.parquet")).lists
    assert lists is not None
    seen = found.select(found.column("pid").astype(int) == 4)
    with pytest.raises(UserError, match=r"1 identity \(such as painted/4\) trained on and in \[gallery\]"):
        leaks.refuse_trained("part", seen, [lists])
    with pytest.raises(UserError, match=r"1 identity \(such as painted/4\) of \[gallery\]"):
        leaks.refuse_listed("file", leaks.digests({("painted", 4)}), [lists])


def test_other_twins_or_parents_are_another_training(set_of: Path, tmp_path: Path) -> None:
    day = manifest.read(painted.world(tmp_path / "day", time="day", name="painted-day"))
    parents = [f"painted/{path}" for path in day.column("path")]
    for name, rows in (("all", np.arange(len(day))), ("some", np.arange(0, len(day), 3))):
        manifest.write(day.with_columns(parent=parents).select(rows), tmp_path / "day" / f"{name}.parquet")
    made = []
    for name in ("all", "some"):
        job = painted.job(tmp_path, set_of, train=[{"data": "painted", "twins": {"data": "night"}}])
        bound = job.settings.data | {"night": tmp_path / "day" / f"{name}.parquet"}
        made.append(gather(replace(job, settings=job.settings.model_copy(update={"data": bound}))).train_sets)
    assert [one["split"] for one in made[0]] == ["train", "twins"]
    assert made[0][0] == made[1][0]
    assert made[0][1]["labels_sha256"] != made[1][1]["labels_sha256"]


def test_pictures_without_hashes_are_no_training_data(set_of: Path, tmp_path: Path) -> None:
    found = manifest.read(set_of)
    trained = found.column("split").astype(str) == "train"
    measured = {
        name: [None if learnt else one for learnt, one in zip(trained, found.table[name].to_pylist(), strict=True)]
        for name in MEASURED
    }
    manifest.write(found.with_columns(**measured), set_of.parent / "unhashed.parquet")
    with pytest.raises(UserError, match=r"48 of 48 rows unmeasured; run `luxreid data measure` first"):
        gather(painted.job(tmp_path, set_of.parent / "unhashed.parquet"))


def test_a_name_without_a_manifest_and_a_part_without_people_are_refused(set_of: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no manifest is bound to 'other'"):
        gather(painted.job(tmp_path, set_of, train=[{"data": "other"}]))
    with pytest.raises(UserError, match=r"\[\[train\]\] painted: .*split"):
        gather(painted.job(tmp_path, set_of, train=[{"data": "painted", "rows": {"split": ["val"]}}]))
    with pytest.raises(UserError, match="test and protocol belong together"):
        gather(painted.job(tmp_path, set_of, test=""))


def _world() -> World:
    return World({"painted": 8}, 3, ("visible",), (16, 8))


def test_a_training_on_made_nights_names_their_recipe(set_of: Path, tmp_path: Path) -> None:
    sources = gather(painted.job(tmp_path, set_of)).sources
    assert synth_recipe(sources) is None
    used, one, other = sources[0].manifest, "1" * 64, "2" * 64

    def made(*recipes: str | None) -> Manifest:
        return used.with_columns(synth_recipe_sha256=[recipes[row % len(recipes)] for row in range(len(used))])

    assert synth_recipe([replace(sources[0], manifest=made(one, None))]) == one
    both = hashlib.sha256(f'["{one}","{other}"]'.encode()).hexdigest()
    assert synth_recipe([replace(sources[0], manifest=made(other, one))]) == both
    # What is shown in a row's place is trained on, too.
    assert synth_recipe([replace(sources[0], manifest=made(other), twins=made(one))]) == both
