"""STAND-IN (replaced by the issue on data): half the identities train; probes of every view stay in the gallery."""

import numpy as np
import pyarrow as pa

from benchmark import keyed
from benchmark.manifest import Manifest


def by_identity(manifest: Manifest, seed: int, probes: int = 3) -> Manifest:
    """Split by identity and draw `min(probes, n)` queries from every (identity, camera)."""
    frame = manifest.frame()
    identity = frame["id_space"] + "\n" + frame["pid"].astype(str)
    people = sorted(identity[frame["pid"] > 0].unique())
    drawn = keyed.order(seed, keyed.keys(people), "split")
    train = {people[place] for place in drawn[: len(people) // 2]}
    in_train = identity.isin(train).to_numpy()
    test = ~in_train & (frame["pid"] >= 0).to_numpy()
    # A place in a shuffled order of its own view: adding an identity changes nobody else's probes.
    draw = keyed.bits(seed, keyed.keys(frame["image_id"].to_list()), "probe")
    view = identity + "\n" + frame["camid"].astype(str)
    place = draw.argsort().argsort()
    rank = frame.assign(place=place).groupby(view.to_numpy())["place"].rank().to_numpy()
    query = test & (frame["pid"] > 0).to_numpy() & (rank <= probes)
    split = np.where(in_train, "train", np.where(test, "test", "none"))
    return manifest.with_columns(split=pa.array(split, pa.string()), query=pa.array(query), gallery=pa.array(test))
