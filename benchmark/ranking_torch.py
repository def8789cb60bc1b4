"""Rank on a graphics card: the integers of `ranking`, wherever the scores are the same.

Every score of a query is sorted in among its positives, which are few, and falls into a bin; the number of scores that
reach a positive is the number in all bins from there on. Whole numbers are added up, so their order changes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark import junk
from benchmark.errors import UserError, nearest
from benchmark.junk import Codes, Ints
from benchmark.protocol import Junk
from benchmark.ranking import Ranking
from benchmark.scoring import METRICS
from benchmark.streaming import hidden_rows, places_among

if TYPE_CHECKING:
    from torch import Tensor

_HIDDEN = -float("inf")
_CHUNK = 128  # queries, where no card's memory says more
_BYTES = 40  # a score: itself, its bin in 64 bits, and what is needed meanwhile to find and to count it


def require(device: str) -> None:
    """Refuse a device that this machine does not have."""
    try:
        import torch
    except ImportError:
        raise UserError(f"--device {device}: needs torch, which is not installed; cpu gives the same ranks") from None
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"--device {device}: torch finds no GPU of this kind here; cpu gives the same ranks")


def rank(
    query: Any,  # noqa: ANN401
    gallery: Any,  # noqa: ANN401
    query_codes: Codes,
    gallery_codes: Codes,
    rules: Junk,
    *,
    metric: str = "cosine",
    device: str = "cuda",
    identities: bool = False,
    chunk: int = 0,
) -> Ranking:
    """Rank by vectors, tensors or arrays; a chunk of 0 queries is as large as the free memory lets it be."""
    import torch

    if metric not in METRICS:
        raise UserError(f"metric: unknown {metric!r}: {nearest(metric, list(METRICS))}")
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        shapes = f"queries of shape {tuple(query.shape)}, gallery of {tuple(gallery.shape)}"
        raise UserError(f"features: {shapes}: must be equally long")
    with torch.inference_mode():
        (asking, bad), (searched, worse) = (_prepared(part, metric, device) for part in (query, gallery))
        _refuse_bad(bad, worse, metric)
        squares = torch.einsum("ij,ij->i", searched, searched)

    def score(rows: slice) -> "Tensor":
        if metric == "euclidean":
            return (2 * asking[rows]) @ searched.T - squares
        return asking[rows] @ searched.T

    sizes = (len(asking), len(searched))
    return _Ranker(sizes, query_codes, gallery_codes, rules, device).rank(score, identities=identities, chunk=chunk)


def rank_distances(
    matrix: Any,  # noqa: ANN401
    query_codes: Codes,
    gallery_codes: Codes,
    rules: Junk,
    *,
    device: str = "cuda",
    identities: bool = False,
    chunk: int = 0,
) -> Ranking:
    """Rank by a ready matrix (queries x gallery) of distances, a tensor or an array: smaller is closer."""
    import torch

    def score(rows: slice) -> "Tensor":
        scores = -_tensor(matrix[rows], device)
        bad = torch.nonzero(~torch.isfinite(scores).all(dim=1))
        if len(bad):
            raise UserError(f"distances: row {rows.start + int(bad[0])} of {len(matrix)} is not finite")
        return scores

    sizes = (matrix.shape[0], matrix.shape[1])
    return _Ranker(sizes, query_codes, gallery_codes, rules, device).rank(score, identities=identities, chunk=chunk)


class _Ranker:
    """Who is compared with whom; scores come later, some queries at a time."""

    def __init__(self, sizes: tuple[int, int], query: Codes, gallery: Codes, rules: Junk, device: str) -> None:
        if sizes != (len(query.identity), len(gallery.identity)):
            lists = f"{len(query.identity)} x {len(gallery.identity)}"
            raise UserError(f"scores of {sizes[0]} queries x {sizes[1]} gallery rows for lists of {lists}")
        self.query, self.gallery, self.rules, self.device = query, gallery, rules, device
        self.found = junk.matches(query, gallery, rules)
        self.starts = np.concatenate([[0], np.cumsum(self.found.positives())])

    def rank(self, score: Callable[[slice], "Tensor"], *, identities: bool, chunk: int) -> Ranking:
        """Count, some queries at a time."""
        import torch

        count, width = len(self.query.identity), len(self.gallery.identity)
        hidden = hidden_rows(self.found, self.query, self.gallery, self.rules).astype(np.int32)
        place, total = places_among(self.starts), self.starts[-1]
        made = Ranking(
            *(self.starts, place, place.copy(), np.zeros(total, np.int32), np.zeros(total, np.float32)),
            *(hidden, (width - hidden).astype(np.int32), np.zeros(count, np.float32), np.zeros(count, np.int32)),
        )
        labels = self._labels() if identities else None
        step = chunk or _chunk(width + int(np.diff(self.starts).max(initial=0)), self.device)
        with torch.inference_mode(), _full_precision(self.device):
            for start in range(0, count, step):
                rows = slice(start, min(start + step, count))
                self._part(score(rows), rows, labels, made)
        return made

    def _part(self, scores: "Tensor", rows: slice, labels: "Tensor | None", made: Ranking) -> None:
        """Rank some queries into their part of the result; their scores are overwritten."""
        import torch

        mine = slice(self.starts[rows.start], self.starts[rows.stop])
        owner = self._hide(scores, rows, made.rows[mine], made.scores[mine])
        within = made.ranks[mine] - 1
        # Ascending, as a search wants them: the best positive comes last, and what fills up is beyond all scores.
        most = np.diff(self.starts[rows.start : rows.stop + 1])
        sorted_in = np.full((rows.stop - rows.start, int(most.max(initial=0))), np.inf, np.float32)
        column = most[owner] - 1 - within
        sorted_in[owner, column] = made.scores[mine]
        thresholds = torch.as_tensor(sorted_in, device=self.device)
        for ranks, right in ((made.ranks, True), (made.best, False)):
            ranks[mine] += _reaching(scores, thresholds, right=right).cpu().numpy()[owner, column].astype(np.int32)
        highest = scores.amax(dim=1).cpu().numpy()
        made.negative[rows] = np.where(highest == _HIDDEN, np.float32(np.nan), highest)
        if labels is not None:
            best = np.full(len(most), np.inf, np.float32)
            best[owner[within == 0]] = made.scores[mine][within == 0]
            ahead = _identities(scores, torch.as_tensor(best, device=self.device), labels).cpu().numpy()
            made.identity[rows] = np.where(most > 0, ahead + 1, 0)

    def _hide(self, scores: "Tensor", rows: slice, positions: NDArray[np.int32], worth: NDArray[np.float32]) -> Ints:
        """Leave only the scores of negatives; note the positives in order, and give whose they are."""
        import torch

        for place in np.unique(self.query.place[rows]) if self.rules.place_pairs else ():
            unseen = torch.as_tensor(junk.unseen(place, self.gallery, self.rules), device=self.device)
            here = torch.as_tensor(self.query.place[rows] == place, device=self.device)
            scores.masked_fill_(here[:, None] & unseen, _HIDDEN)
        first, last = self.found.starts[rows.start], self.found.starts[rows.stop]
        owner = np.repeat(np.arange(rows.stop - rows.start), np.diff(self.found.starts[rows.start : rows.stop + 1]))
        column = self.found.gallery[first:last]
        pairs = [torch.as_tensor(part, device=self.device) for part in (owner, column)]
        found = scores[pairs[0], pairs[1]].cpu().numpy()
        scores[pairs[0], pairs[1]] = _HIDDEN
        shown = ~self.found.hidden[first:last]
        owner, column, found = owner[shown], column[shown], found[shown]
        order = np.lexsort((column, -found, owner))
        positions[:], worth[:] = column[order], found[order]
        return owner

    def _labels(self) -> "Tensor":
        """Give every gallery row the number of its identity; a distractor is an identity of its own."""
        import torch

        names, labels = np.unique(self.gallery.identity, return_inverse=True)
        alone = self.gallery.identity == junk.NOBODY
        labels[alone] = len(names) + np.arange(alone.sum())
        return torch.as_tensor(labels, device=self.device)


def _reaching(scores: "Tensor", thresholds: "Tensor", *, right: bool) -> "Tensor":
    """Count for every threshold, which ascend in a row, the scores that are >=; without `right` those that are >."""
    import torch

    bins = torch.searchsorted(thresholds, scores, right=right)
    counts = torch.zeros(len(scores), thresholds.shape[1] + 1, dtype=torch.int32, device=scores.device)
    counts.scatter_add_(1, bins, torch.ones(1, 1, dtype=torch.int32, device=scores.device).expand_as(bins))
    return counts.flip(1).cumsum(1).flip(1)[:, 1:]


def _identities(scores: "Tensor", best: "Tensor", labels: "Tensor") -> "Tensor":
    """Count the identities whose best image reaches the best positive."""
    import torch

    tops = torch.full((len(scores), int(labels.max()) + 1), _HIDDEN, device=scores.device)
    tops.scatter_reduce_(1, labels.expand_as(scores), scores, "amax")
    return (tops >= best[:, None]).sum(dim=1, dtype=torch.int32)


def _prepared(vectors: Any, metric: str, device: str) -> "tuple[Tensor, NDArray[np.bool_]]":  # noqa: ANN401
    """Give vectors in single precision, of length 1 for cosine, and say which rows cannot be scored."""
    import torch

    ready = _tensor(vectors, device)
    # In double precision, where no square of a float is too large or too small.
    lengths = torch.linalg.vector_norm(ready, dim=1, dtype=torch.float64)
    bad = ~torch.isfinite(lengths)
    if metric == "cosine":
        bad |= lengths == 0
        ready = ready / lengths.to(torch.float32)[:, None]
    return ready, bad.cpu().numpy()


def _tensor(numbers: Any, device: str) -> "Tensor":  # noqa: ANN401
    """Give single precision on the device; torch warns of arrays that it might write to and must not."""
    import torch

    kept = isinstance(numbers, np.ndarray) and not numbers.flags.writeable
    return torch.as_tensor(np.array(numbers) if kept else numbers).to(device, torch.float32)


def _refuse_bad(queries: NDArray[np.bool_], gallery: NDArray[np.bool_], metric: str) -> None:
    for role, bad in (("query", queries), ("gallery", gallery)):
        if bad.any():
            what = "are not finite" + " or have no length" * (metric == "cosine")
            raise UserError(
                f"features: {queries.sum()} of {len(queries)} query rows and {gallery.sum()} of {len(gallery)} "
                f"gallery rows {what}, the first is {role} row {np.argmax(bad)}"
            )


def _chunk(width: int, device: str) -> int:
    """Say how many queries fit into half of what is free on the card."""
    import torch

    if torch.device(device).type != "cuda":
        return _CHUNK
    free, _ = torch.cuda.mem_get_info(device)
    return max(int(free // 2 // (_BYTES * width)), 1)


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    """Multiply in single precision: scores in TF32 or half precision tie where they should not."""
    import torch

    known: Any = torch.backends
    backends = (known.cuda.matmul, known.mkldnn.matmul)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        with torch.autocast(torch.device(device).type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
