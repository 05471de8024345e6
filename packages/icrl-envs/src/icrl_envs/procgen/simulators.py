"""Simulators: single levels of a game in envpool, and a shelf for those that wait.

Weng et al. 2022, "EnvPool: A Highly Parallel Reinforcement Learning Environment Execution Engine",
arXiv:2206.10558.
"""

from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from icrl.errors import MissingPackageError
from icrl_envs.extras import require
from icrl_envs.procgen.games import RIGHT, Difficulty

MOST_IDLE = 256
"""Simulators that wait on a shelf at most: each takes half a megabyte and two sleeping threads."""


class Outcome(NamedTuple):
    """What an action led to."""

    frame: np.ndarray
    """[height, width, 3] uint8; the ended episode's own last frame, where it ended."""
    reward: float
    terminated: bool
    truncated: bool
    completed: bool
    """Whether the level is done, as the game has it."""


class Simulator:
    """One level of a game, played again and again: an envpool of a single environment.

    Asking and taking are two calls, so that many simulators work at once.
    """

    def __init__(
        self,
        difficulty: Difficulty,
        level: int,
        horizon: int,
    ) -> None:
        """Make it; `require_envpool` says beforehand whether it can be made.

        Args:
            difficulty: the game at its difficulty.
            level: the seed of the level.
            horizon: steps after which an episode is cut; at most the game's own.
        """
        import envpool

        self.level = level
        self._keeps_gaze = difficulty.game.keeps_gaze
        self._horizon = horizon
        self._played = False
        self._steps = 0
        self._pool = envpool.make(
            difficulty.id,
            env_type="gymnasium",
            num_envs=1,
            num_threads=1,
            start_level=level,
            num_levels=1,
            channel_first=False,
        )

    def ask_opening(self) -> None:
        """Ask for a new episode, wherever the last one stands."""
        if self._keeps_gaze and self._played:
            self._look_right()
        self._played = True
        self._steps = 0
        self._pool.async_reset()

    def opening(self) -> np.ndarray:
        """The first frame of the episode that was asked for, [height, width, 3] uint8."""
        frames, _ = self._pool.recv(reset=True)
        return frames[0]

    def ask_step(self, action: np.ndarray) -> None:
        """Ask for a step by an action [1] int32."""
        self._steps += 1
        self._pool.send(action)

    def outcome(self) -> Outcome:
        """What the step that was asked for led to.

        A level that is completed in the last step before the horizon counts as terminated; what
        else ends an episode there cannot be told from the horizon, and counts as truncated.
        """
        frames, rewards, terminated, truncated, info = self._pool.recv()
        completed = bool(info["prev_level_complete"][0])
        over = bool(terminated[0]) or completed
        cut = bool(truncated[0]) or self._steps >= self._horizon
        return Outcome(frames[0], float(rewards[0]), over, cut and not over, completed)

    def _look_right(self) -> None:
        """Where every game looks that was never played. An ended episode ignores actions, so it is
        opened anew before.
        """
        self._pool.async_reset()
        self._pool.recv(reset=True)
        self._pool.send(np.array([RIGHT], np.int32))
        self._pool.recv()


class Shelf:
    """Simulators that nobody plays now, by level; those that wait longest go first."""

    def __init__(self, difficulty: Difficulty, horizon: int, *, most: int = MOST_IDLE) -> None:
        self._difficulty, self._horizon = difficulty, horizon
        self._most = most
        self._waiting: OrderedDict[int, list[Simulator]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def exchange(self, simulator: Simulator | None, level: int) -> Simulator:
        """A simulator of a level: the given one if it plays that, else one that waits or a new
        one, for which the given one waits.
        """
        if simulator is not None:
            if simulator.level == level:
                return simulator
            self._put(simulator)
        return self._take(level) or Simulator(self._difficulty, level, self._horizon)

    def clear(self) -> None:
        """Let go of all."""
        self._waiting.clear()
        self._count = 0

    def _put(self, simulator: Simulator) -> None:
        self._waiting.setdefault(simulator.level, []).append(simulator)
        self._waiting.move_to_end(simulator.level)
        self._count += 1
        if self._count > self._most:
            self._take(next(iter(self._waiting)))

    def _take(self, level: int) -> Simulator | None:
        waiting = self._waiting.pop(level, None)
        if waiting is None:
            return None
        self._count -= 1
        simulator = waiting.pop()
        if waiting:
            self._waiting[level] = waiting
        return simulator


def require_envpool(what: str) -> None:
    """See that Procgen can be played here; no game is loaded yet.

    Raises:
        MissingPackageError: naming the extra that brings envpool, or the system's library that it
            cannot find.
    """
    require("envpool", extra="procgen", what=what)
    try:
        from envpool.procgen import ProcgenGymnasiumEnvPool  # noqa: F401
    except ImportError as error:
        reason = error.__cause__ or error
        raise MissingPackageError(
            f"{what} needs the system's Qt 5 libraries, which cannot be loaded ({reason}). They "
            "come with: apt-get install libqt5gui5 (Debian, Ubuntu), dnf install qt5-qtbase-gui "
            "(Fedora)"
        ) from error
