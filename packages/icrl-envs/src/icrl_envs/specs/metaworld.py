"""Meta-World, an extra."""

from icrl.plugins.specs import FamilySpec


def metaworld() -> list[FamilySpec]:
    """Meta-World, an extra."""
    return []
