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
        _visual_maze(
            "icrl/VisualMaze-v0",
            "Find the target of a perfect maze of 5x5 rooms in the first person. 250 steps.",
        ),
        _visual_maze(
            "icrl/VisualMaze9x9-v0",
            "Visual Maze of 9x9 rooms, with 1000 steps.",
            size=9,
            horizon=1000,
        ),
    ]


def _visual_maze(id: str, summary: str, **arguments: object) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point="icrl_envs.visual_maze:VisualMaze",
        arguments=arguments,
        summary=summary,
        paper="arXiv:1611.02779",
        default_source="sb3",
        tags=("native", "pixels"),
    )
