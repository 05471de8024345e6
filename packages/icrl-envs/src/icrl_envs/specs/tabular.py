"""Random tabular MDPs."""

from icrl.plugins.specs import FamilySpec


def tabular() -> list[FamilySpec]:
    """Random tabular MDPs."""
    return []
