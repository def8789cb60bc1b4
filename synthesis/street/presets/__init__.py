"""Worlds of the street, ready made; a file's name is the preset's name, and the space of its identities."""

from benchmark.plugins import Shelf

PRESETS = Shelf("synthesis.street.presets", "preset")
