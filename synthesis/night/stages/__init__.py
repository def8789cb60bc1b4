"""The stages of the night chain, one file each; a file's name is the stage's name."""

from benchmark.plugins import Room

STAGES = Room("synthesis.night.stages", "night stage", ("Config", "plan", "apply"))
