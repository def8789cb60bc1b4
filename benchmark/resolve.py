"""Resolve a protocol on a manifest: who trains, who asks and who is searched, for one trial."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark import filters, junk, samplers
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.junk import Codes
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol, load

Mask = NDArray[np.bool_]

ROLES = ("train", "query", "gallery")


def resolve(
    manifest: Manifest, protocol: Protocol | str | Path = "market-style", trial: int = 0, *, trains: bool = True
) -> Lists:
    """Make the lists of one trial; trials are counted from 0, whatever number the set gives its first.

    Where nobody trains, a manifest of the test alone will do.
    """
    plan = protocol if isinstance(protocol, Protocol) else load(protocol)
    _check_trial(plan, trial)
    notes: list[str] = []
    rows = {role: _rows(manifest, plan, role, trial, notes) for role in ROLES if role != "train" or trains}
    if not trains:
        rows["train"] = _trained(manifest, plan, trial)
    _refuse_trained_and_tested(manifest, rows, plan.name)
    notes += _shared(manifest, rows)
    train = manifest.select(rows["train"]) if rows["train"].any() else None
    query, gallery = (manifest.select(rows[role]) for role in ("query", "gallery"))
    for role, part in (("query", query), ("gallery", gallery)):
        part.require_measured(f"{plan.name}: [{role}] own copies are known by their hash")
    codes = junk.codes(query, gallery)
    junk.require_positives(*codes, plan.junk, plan.name)
    notes += _doubts(plan, query, gallery, codes)
    return Lists(train, query, gallery, plan.name, plan.sha256, trial, plan, tuple(notes))


def _check_trial(plan: Protocol, trial: int) -> None:
    if not 0 <= trial < plan.trials.count:
        last = plan.trials.count - 1
        allowed = f"a trial is a number from 0 to {last}" if last else "the only trial is number 0"
        raise UserError(f"{plan.name}: there is no trial {trial}; {allowed}")


def _rows(manifest: Manifest, plan: Protocol, role: str, trial: int, notes: list[str]) -> Mask:
    """Filter, leave out who cannot have the role, and draw."""
    where, number = f"{plan.name}: [{role}]", plan.trials.number(trial)
    chosen = filters.meet(manifest, plan.filters(role, trial), where)
    # Junk is for nobody. Distractors are searched, but nobody learns them or asks for them.
    pids = manifest.column("pid").astype(np.int64)
    fit: Mask = chosen & (pids >= (0 if role == "gallery" else 1))
    if not fit.any():
        raise UserError(f"{where} holds nothing but {_nobody(role)}: {count(int(chosen.sum()), 'row')}")
    if (left := int((chosen & ~fit).sum())) > 0:
        notes.append(f"{role}: {count(left, 'row')} left out: {_nobody(role)}")
    if role == plan.trials.role:
        candidates = np.flatnonzero(fit)
        drawn = samplers.draw(manifest.select(candidates), plan.trials, number, where)
        fit[candidates[~drawn]] = False
    return fit


def _trained(manifest: Manifest, plan: Protocol, trial: int) -> Mask:
    """Find who was trained on, to tell of leaks; in a manifest of the test alone nobody was."""
    try:
        return _rows(manifest, plan, "train", trial, [])
    except UserError:
        return np.zeros(len(manifest), dtype=bool)


def _nobody(role: str) -> str:
    return "junk (pid -1)" if role == "gallery" else "junk or distractors (pid -1 or 0)"


def _refuse_trained_and_tested(manifest: Manifest, rows: dict[str, Mask], name: str) -> None:
    for role in ("query", "gallery"):
        both = rows["train"] & rows[role]
        if both.any():
            image = manifest.table["image_id"][int(np.argmax(both))].as_py()
            raise UserError(f"{name}: {count(int(both.sum()), 'image')} in [train] and in [{role}], such as {image}")


def _shared(manifest: Manifest, rows: dict[str, Mask]) -> Iterator[str]:
    """Note who is learnt and tested, and which files: leaks, but for splits that part a set by time or camera."""
    people, hashes = manifest.identities(), np.asarray(manifest.table["sha256"].to_pylist())
    asked = people[rows["query"]]
    for role, others in (("query", asked), ("gallery", np.setdiff1d(people[rows["gallery"]], asked))):
        shared = np.intersect1d(people[rows["train"]], others)
        shared = shared[shared >= 0]
        if len(shared):
            row = manifest.table.slice(int(np.flatnonzero(people == shared[0])[0]), 1).to_pylist()[0]
            who = f"{row['id_space']}/{row['pid']}"
            yield f"{count(len(shared), 'identity', 'identities')} in [train] and in [{role}], such as {who}"
        copies = rows[role] & np.isin(hashes, hashes[rows["train"]])
        if copies.any():
            image = manifest.table["image_id"][int(np.argmax(copies))].as_py()
            yield f"{count(int(copies.sum()), 'file')} of [{role}] in [train] too, such as {image}"


def _doubts(plan: Protocol, query: Manifest, gallery: Manifest, codes: tuple[Codes, Codes]) -> Iterator[str]:
    """Note what may be wrong with labels or places."""
    asker, row = junk.twins(*codes)
    if len(asker):
        names = (query.table["image_id"][int(asker[0])].as_py(), gallery.table["image_id"][int(row[0])].as_py())
        yield f"{count(len(asker), 'pair')} of equal files under different identities: {' and '.join(names)}"
    kinds = sorted(set(query.table["modality"].to_pylist()))
    if len(kinds) > 1:
        yield f"queries of {len(kinds)} modalities, {', '.join(kinds)}, are asked as one"
    unknown = int((codes[0].place == junk.NOBODY).sum())
    if plan.junk.same_place and unknown:
        yield f"{count(unknown, 'query', 'queries')} at an unknown place: the rule same_place does not touch them"
    pairs = plan.junk.place_pairs
    if pairs and not any(junk.unseen(place, codes[1], plan.junk).any() for place in np.unique(codes[0].place)):
        yield "place_pairs hides nothing from anybody: no query and no gallery row are at such places"
