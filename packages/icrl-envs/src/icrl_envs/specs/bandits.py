"""Bandits: one pull a step, one trial an episode."""

from icrl.plugins.specs import FamilySpec


def bandits() -> list[FamilySpec]:
    """Bandits: one pull a step, one trial an episode."""
    return []
