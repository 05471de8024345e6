"""Meta-RL's control tasks on MuJoCo."""

from icrl.plugins.specs import FamilySpec


def control() -> list[FamilySpec]:
    """Meta-RL's control tasks on MuJoCo."""
    return []
