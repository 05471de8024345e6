"""Mazes and arenas seen in the first person, as pixels."""

from icrl.plugins.specs import FamilySpec


def views() -> list[FamilySpec]:
    """Mazes and arenas seen in the first person, as pixels."""
    return []
