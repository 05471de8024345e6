"""Games: what Procgen has, as plain data."""

from dataclasses import dataclass

from icrl.errors import ConfigError

SIDE, ACTIONS, RIGHT = 64, 15, 7
"""A frame is so many pixels high and wide; so many buttons; the one that moves to the right."""
LEVELS = 2**31 - 1
"""Levels are numbered from 0 to below this."""


@dataclass(frozen=True)
class Game:
    """One of the sixteen games."""

    name: str
    """As envpool has it, in lower case."""
    horizon: int
    """Steps after which the game cuts an episode."""
    more_modes: tuple[str, ...] = ()
    """Difficulties beside easy and hard."""
    keeps_gaze: bool = False
    """Whether the direction in which the agent last looked outlives its episode: it decides where
    the first ball of the next one flies, so it has to be put right before.
    """

    @property
    def modes(self) -> tuple[str, ...]:
        """All difficulties."""
        return ("easy", "hard", *self.more_modes)


GAMES = {
    game.name: game
    for game in (
        Game("bigfish", 6000),
        Game("bossfight", 4000),
        Game("caveflyer", 1000, ("memory",)),
        Game("chaser", 1000, ("extreme",)),
        Game("climber", 1000),
        Game("coinrun", 1000),
        Game("dodgeball", 1000, ("extreme", "memory"), keeps_gaze=True),
        Game("fruitbot", 1000),
        Game("heist", 1000, ("memory",)),
        Game("jumper", 1000, ("memory",)),
        Game("leaper", 500, ("extreme",)),
        Game("maze", 500, ("memory",)),
        Game("miner", 1000, ("memory",)),
        Game("ninja", 1000),
        Game("plunder", 4000),
        Game("starpilot", 1000, ("extreme",)),
    )
}


@dataclass(frozen=True)
class Difficulty:
    """A game at a difficulty: what envpool has an id for."""

    game: Game
    mode: str

    @property
    def id(self) -> str:
        """Envpool's id."""
        return f"{self.game.name.capitalize()}{self.mode.capitalize()}-v0"


def difficulty(name: str, mode: str) -> Difficulty:
    """Find a game at a difficulty.

    Raises:
        ConfigError: naming what there is.
    """
    if name not in GAMES:
        raise ConfigError(f"env={name!r}: expected one of {', '.join(GAMES)}.")
    game = GAMES[name]
    if mode not in game.modes:
        raise ConfigError(
            f"distribution_mode={mode!r}: expected one of {', '.join(game.modes)} in {name}."
        )
    return Difficulty(game, mode)
