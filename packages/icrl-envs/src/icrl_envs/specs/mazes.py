"""Mazes seen as symbols."""

from icrl.plugins.specs import FamilySpec


def mazes() -> list[FamilySpec]:
    """Grid Maze, in the two sizes of RL²."""
    return [
        _grid_maze(
            "icrl/GridMaze-v0",
            "Find the goal of a maze of 5x5 rooms through a window of 5x5 cells. 250 steps.",
        ),
        _grid_maze(
            "icrl/GridMaze9x9-v0",
            "Grid Maze of 9x9 rooms, with 1000 steps.",
            size=9,
            horizon=1000,
        ),
    ]


def _grid_maze(id: str, summary: str, **arguments: object) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point="icrl_envs.grid_maze:GridMaze",
        arguments=arguments,
        summary=summary,
        paper="arXiv:1611.02779",
        default_source="q-learning",
        tags=("native", "grid"),
    )
