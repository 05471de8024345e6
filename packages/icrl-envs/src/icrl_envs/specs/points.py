"""Points that move in the plane."""

from icrl.plugins.specs import FamilySpec


def points() -> list[FamilySpec]:
    """Points that move in the plane."""
    return []
