"""Configurations over their seeds, and one against another: computed once, kept as `means/1` and `pairs/1`.

Both are derived: they follow from the ranks of the runs that their rows name. A new seed, another number of draws or
another version of what is computed makes new rows; the old ones are not looked at any more. Only the runs of one group
(equal lists, measured alike, and an equal protocol) are put into one table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark import compare, cuts, differences, statistics
from benchmark.compare import METRICS, Line, Scored
from benchmark.cuts import Cut
from benchmark.errors import UserError, nearest
from benchmark.progress import track
from benchmark.strata_rows import MACRO
from leaderboards import averages, history, ranks, store
from leaderboards.ranks import Group, Row
from leaderboards.store import Board

# Raised when the same runs would give other numbers: what was computed before is then computed again.
MEANS_VERSION, PAIRS_VERSION = "1", "1"
