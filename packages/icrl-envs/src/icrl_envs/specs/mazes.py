"""Mazes seen as symbols."""

from icrl.plugins.specs import FamilySpec


def mazes() -> list[FamilySpec]:
    """Mazes seen as symbols."""
    return []
