"""How a set falls into the levels of one scheme, as a table for the terminal."""

from typing import TYPE_CHECKING

import numpy as np

from benchmark.manifest import Manifest
from benchmark.strata import Strata

if TYPE_CHECKING:
    from rich.table import Table


def table(manifest: Manifest, strata: Strata) -> "Table":
    """Count images, identities and queries of every level; a scheme over one level says so."""
    from rich.table import Table

    only = "; one level only, nothing to compare" if strata.occupied < 2 else ""
    edges = ", ".join(f"{edge:g}" for edge in strata.scheme.edges)
    view = Table(
        title=f"{strata.scheme.id} on {strata.scheme.measure}{f' at {edges}' if edges else ''}{only}",
        title_justify="left",
    )
    view.add_column("level")
    for name in ("images", "share", "identities", "queries", "query identities"):
        view.add_column(name, justify="right")
    identities, query = manifest.identities(), np.asarray(manifest.column("query"), dtype=bool)
    names = [*strata.levels] + (["in no level"] if (strata.codes < 0).any() else [])
    for name, code in zip(names, [*range(len(strata.levels)), -1], strict=False):
        rows = strata.codes == code
        people, asked = _people(identities[rows]), _people(identities[rows & query])
        share = f"{100 * rows.mean():.1f} %"
        view.add_row(name, str(rows.sum()), share, str(people), str((rows & query).sum()), str(asked))
    return view


def _people(identities: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
    return len(np.unique(identities[identities >= 0]))
