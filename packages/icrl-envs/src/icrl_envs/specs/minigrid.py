"""The ids of MiniGrid's levels; a layout is a task."""

from icrl.plugins.specs import FamilySpec

_LEVELS = {
    "Empty-Random-5x5": "An empty room of 3x3 cells; the start is random. 32 layouts, horizon 100.",
    "Empty-Random-6x6": "An empty room of 4x4 cells; the start is random. 60 layouts, horizon 144.",
    "FourRooms": "Find a goal in four rooms with random doors. Horizon 100.",
    "DoorKey-5x5": "Fetch a key, open the door, reach the goal. 48 layouts, horizon 250.",
    "DoorKey-6x6": "Fetch a key, open the door, reach the goal. 6x6, horizon 360.",
    "DoorKey-8x8": "Fetch a key, open the door, reach the goal. 8x8, horizon 640.",
    "LavaCrossingS9N1": "Cross one river of lava in a 9x9 grid. 42 layouts, horizon 324.",
    "LavaCrossingS9N2": "Cross two rivers of lava in a 9x9 grid. Horizon 324.",
    "LavaCrossingS9N3": "Cross three rivers of lava in a 9x9 grid. Horizon 324.",
    "LavaCrossingS11N5": "Cross five rivers of lava in an 11x11 grid. Horizon 484.",
    "MultiRoom-N2-S4": "Through the door of one small room into another. Horizon 40.",
    "MultiRoom-N4-S5": "Through four rooms in a row, opening their doors. Horizon 120.",
    "MultiRoom-N6": "Through six rooms in a row, opening their doors. Horizon 120.",
    "Unlock": "Fetch the key and open the locked door. Horizon 288.",
    "KeyCorridorS3R1": "Find the key, unlock the room, pick the ball up. One row, horizon 270.",
    "KeyCorridorS3R2": "Find the key, unlock the room, pick the ball up. Two rows, horizon 270.",
    "KeyCorridorS3R3": "Find the key, unlock the room, pick the ball up. Three rows, horizon 270.",
}


def minigrid() -> list[FamilySpec]:
    """Levels of MiniGrid, seen as symbols."""
    return [
        FamilySpec(
            id=f"icrl/MiniGrid-{level}-v0",
            entry_point="icrl_envs.minigrid_levels:MiniGrid",
            arguments={"env": f"MiniGrid-{level}-v0"},
            summary=summary,
            paper="arXiv:2306.13831",
            default_source="sb3",
            tags=("wrapped", "grid"),
        )
        for level, summary in _LEVELS.items()
    ]
