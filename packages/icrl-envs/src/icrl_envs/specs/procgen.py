"""The ids of Procgen's games, an extra."""

from icrl.plugins.specs import FamilySpec

_GAMES = {
    "BigFish": "Eat smaller fish and grow, away from larger ones. 6000 steps.",
    "BossFight": "Dodge a boss's fire and shoot when its shields are down. 4000 steps.",
    "CaveFlyer": "Fly through a cave to the goal, past obstacles. 1000 steps.",
    "Chaser": "Collect all orbs of a maze, chased by enemies. 1000 steps.",
    "Climber": "Climb platforms and collect the crystals. 1000 steps.",
    "CoinRun": "Run and jump to the coin at the far right. 1000 steps.",
    "Dodgeball": "Hit the enemies with balls, then reach the door. 1000 steps.",
    "FruitBot": "Fly through gaps, eating fruit but nothing else. 1000 steps.",
    "Heist": "Open coloured locks with their keys and steal the gem. 1000 steps.",
    "Jumper": "Jump to the carrot that a compass points to. 1000 steps.",
    "Leaper": "Cross lanes of cars and rivers of logs. 500 steps.",
    "Maze": "Find the cheese in a maze that is seen as a whole. 500 steps.",
    "Miner": "Dig for diamonds under boulders, then leave. 1000 steps.",
    "Ninja": "Jump from ledge to ledge to the mushroom. 1000 steps.",
    "Plunder": "Sink the ships of the enemy's kind and spare one's own. 4000 steps.",
    "StarPilot": "Dodge and shoot in a side-scrolling space. 1000 steps.",
}


def procgen() -> list[FamilySpec]:
    """Procgen's games, in their easy mode."""
    return [
        FamilySpec(
            id=f"icrl/Procgen-{name}-v0",
            entry_point="icrl_envs.procgen.family:Procgen",
            arguments={"env": name.lower()},
            summary=summary,
            paper="arXiv:1912.01588",
            default_source="sb3",
            tags=("wrapped", "pixels", "extra"),
        )
        for name, summary in _GAMES.items()
    ]
