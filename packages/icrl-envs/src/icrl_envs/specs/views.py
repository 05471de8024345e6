"""Mazes and arenas seen in the first person, as pixels."""

from icrl.plugins.specs import FamilySpec


def views() -> list[FamilySpec]:
    """Mazes and arenas seen in the first person, as pixels."""
    return [
        FamilySpec(
            id="icrl/Watermaze-v0",
            entry_point="icrl_envs.watermaze:Watermaze",
            summary="Find an unseen platform in a round pool by the pictures on its wall: pixels.",
            paper="arXiv:2210.14215",
            default_source="sb3",
            tags=("native", "pixels"),
        ),
    ]
