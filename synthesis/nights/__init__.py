"""Named nights; a file's name is the night's name."""

from benchmark.plugins import Shelf

NIGHTS = Shelf("synthesis.nights", "night")
