"""Specs: the ids that this package registers, by kind; plain data, and nothing heavy imported."""
