"""MiniGrid, a layout seed being a task."""

from icrl.plugins.specs import FamilySpec


def minigrid() -> list[FamilySpec]:
    """MiniGrid, a layout seed being a task."""
    return []
