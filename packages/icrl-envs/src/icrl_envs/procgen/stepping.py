"""Stepping: the levels of all rows at once, in envpool's threads."""

import numpy as np

from icrl.wrapped import Stepper
from icrl.wrapped.buffers import Buffers
from icrl_envs.procgen.cabinet import enlarged
from icrl_envs.procgen.games import Difficulty
from icrl_envs.procgen.simulators import Shelf, Simulator


class LevelStepper(Stepper):
    """Plays a level in each row; asks all simulators before it waits for any.

    Envpool would open the next episode in the step after an episode's end, which ignores its
    action. Here a row whose episode ended is opened in the same step, in the level that `task`
    then has.
    """

    def __init__(self, difficulty: Difficulty, horizon: int, buffers: Buffers) -> None:
        self._buffers = buffers
        self._shelf = Shelf(difficulty, horizon)
        self._playing: dict[int, Simulator] = {}

    def reset(self) -> None:
        """Open an episode in every row."""
        buffers = self._buffers
        buffers.terminated[:] = buffers.truncated[:] = False
        self._open(np.arange(len(buffers.reward)))
        buffers.outcome[:] = buffers.opening

    def step(self) -> None:
        """Step every row; where that ends an episode, open the next one."""
        buffers = self._buffers
        actions = buffers.action.astype(np.int32)[:, None]
        for row, simulator in self._playing.items():
            simulator.ask_step(actions[row])
        for row, simulator in self._playing.items():
            outcome = simulator.outcome()
            buffers.outcome[row] = outcome.frame
            buffers.reward[row] = outcome.reward
            buffers.terminated[row] = outcome.terminated
            buffers.truncated[row] = outcome.truncated
            buffers.success[row] = outcome.completed
        self._open(np.flatnonzero(buffers.terminated | buffers.truncated))

    def render(self) -> tuple[np.ndarray, ...]:
        """The frame of every row, enlarged: where an episode ended, the one that opens the next."""
        buffers = self._buffers
        ended = (buffers.terminated | buffers.truncated)[:, None, None, None]
        return tuple(map(enlarged, np.where(ended, buffers.opening, buffers.outcome)))

    def close(self) -> None:
        """Let go of every simulator."""
        self._playing.clear()
        self._shelf.clear()

    def _open(self, rows: np.ndarray) -> None:
        levels = self._buffers.task["level"]
        for row in rows.tolist():
            simulator = self._shelf.exchange(self._playing.get(row), int(levels[row]))
            simulator.ask_opening()
            self._playing[row] = simulator
        for row in rows.tolist():
            self._buffers.opening[row] = self._playing[row].opening()
