"""STAND-IN for the protocol engine (the issue on data): the roles as the manifest has them, and the two junk rules."""

from benchmark import durable
from benchmark.errors import UserError
from benchmark.lists import Lists
from benchmark.manifest import Manifest

PROTOCOL = {
    "name": "stand-in-roles",
    "junk": ["own_copy", "same identity same place, where the place is known"],
    "cmc": "first match",
    "rank_by": "mAP",
    "invalid_queries": "skip",
}


def resolve(manifest: Manifest) -> Lists:
    """Make the lists of a manifest."""
    manifest.require_measured(str(PROTOCOL["name"]))
    train, query, gallery = (manifest.column("split") == "train", manifest.column("query"), manifest.column("gallery"))
    for role, rows in (("train", train), ("query", query), ("gallery", gallery)):
        if not rows.any():
            raise UserError(f"{PROTOCOL['name']}: no row has the role {role!r}")
    gallery = gallery & (manifest.column("pid") >= 0)  # type: ignore[operator]
    hashed = durable.sha256(durable.canonical(PROTOCOL))
    parts = [manifest.select(rows) for rows in (train, query, gallery)]
    return Lists(parts[0], parts[1], parts[2], str(PROTOCOL["name"]), hashed)
