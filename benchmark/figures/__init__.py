"""Figures about one manifest or one run, one file each."""
