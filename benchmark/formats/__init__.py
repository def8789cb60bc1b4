"""Layouts that other tools read: names and folders, written and parsed."""
