"""Simulators: the environments of some rows, stepped one after another on the CPU."""

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from icrl.errors import SpaceError
from icrl.wrapped.buffers import Buffers
from icrl.wrapped.conversion import Misfit, RangeCheck, row_reader, row_writer

if TYPE_CHECKING:
    from icrl.wrapped.family import WrappedFamily

SLOW_STEP_SECONDS = 1.3e-3
"""From this time for a step of all environments on, worker processes are worth it: two halve it for
some tenths of a millisecond, and have taken seconds to start. Ten of MuJoCo's ants or humanoids
take longer, five ants or ten half-cheetahs do not."""


class Stepper(ABC):
    """Opens and steps the episodes of all rows, which read from and write to shared buffers."""

    @abstractmethod
    def reset(self) -> None:
        """Open an episode of `task` in every row and write `opening`; nothing has ended."""

    @abstractmethod
    def step(self) -> None:
        """Step every row by its `action` and write what that led to; where it ended an episode,
        open one of `task`, which is then the next one's.
        """

    @abstractmethod
    def render(self) -> tuple[Any, ...] | None:
        """A frame of every row; None where frames cannot be had."""

    @abstractmethod
    def close(self) -> None:
        """Close every environment."""


class SteppedTogether(ABC):
    """A wrapped family whose simulator steps many rows at once, in threads of its own."""

    @abstractmethod
    def stepper(self, buffers: Buffers) -> Stepper:
        """What opens and steps the episodes of all rows of these buffers."""


class Simulators(Stepper):
    """The environments of the rows `rows`, stepped one after another."""

    def __init__(
        self, family: "WrappedFamily", rows: range, buffers: Buffers, render_mode: str | None = None
    ) -> None:
        self._family = family
        self._rows = rows
        self._slice = slice(rows.start, rows.stop)
        self._buffers = buffers
        self._read_action = row_reader(family.action_space, buffers.action)
        self._write_outcome = row_writer(family.observation_space, buffers.outcome)
        self._write_opening = row_writer(family.observation_space, buffers.opening)
        self._check_outcome = RangeCheck(family.observation_space, buffers.outcome, family.id)
        self._check_opening = RangeCheck(family.observation_space, buffers.opening, family.id)
        self._steps = dict.fromkeys(rows, 0)
        self._envs = {row: family.make_env(render_mode) for row in rows}

    def reset(self) -> None:
        """Open an episode in every row.

        Raises:
            SpaceError: if an observation does not fit its space.
        """
        for row in self._rows:
            self._buffers.terminated[row] = self._buffers.truncated[row] = False
            self._steps[row] = 0
            self._open(row)
        self._check(self._check_opening, "its reset")

    def step(self) -> None:
        """Step every row; where that ends an episode, open the next one.

        Raises:
            SpaceError: if an observation does not fit its space.
        """
        buffers, success = self._buffers, self._family.reports_success
        ended = False
        for row in self._rows:
            opened = buffers.terminated[row] or buffers.truncated[row]
            self._steps[row] = 1 if opened else self._steps[row] + 1
            observation, reward, terminated, truncated, info = self._envs[row].step(
                self._read_action(row)
            )
            try:
                self._write_outcome(row, observation)
            except Misfit as misfit:
                raise self._error(
                    row, f"step {self._steps[row]} of its episode", misfit
                ) from misfit
            buffers.reward[row] = reward
            buffers.terminated[row] = terminated
            buffers.truncated[row] = truncated and not terminated
            if success:
                buffers.success[row] = bool(info.get("success", info.get("is_success", False)))
            if terminated or truncated:
                self._open(row)
                ended = True
        self._check(self._check_outcome, "step {} of its episode")
        if ended:
            self._check(self._check_opening, "its reset")

    def render(self) -> tuple[Any, ...]:
        """A frame of every row."""
        return tuple(env.render() for env in self._envs.values())

    def close(self) -> None:
        """Close every environment."""
        for env in self._envs.values():
            env.close()

    def _open(self, row: int) -> None:
        buffers = self._buffers
        task = {name: array[row].copy() for name, array in buffers.task.items()}
        seed = int(buffers.seed[row])
        buffers.seed[row] = -1
        observation = self._family.reset_to(self._envs[row], task, seed if seed >= 0 else None)
        try:
            self._write_opening(row, observation)
        except Misfit as misfit:
            raise self._error(row, "its reset", misfit) from misfit

    def _check(self, check: RangeCheck, when: str) -> None:
        try:
            check(self._slice)
        except Misfit as misfit:
            row = self._rows[misfit.row]
            raise self._error(row, when.format(self._steps[row]), misfit) from misfit

    def _error(self, row: int, when: str, misfit: Misfit) -> SpaceError:
        return SpaceError(
            f"{self._family.id}, row {row}, {when}: {misfit}. The environment does not return what "
            "its observation space says; wrap it so that the two agree."
        )


def step_seconds(family: "WrappedFamily", steps: int = 5) -> float:
    """How long a step of one environment takes: the shortest of a few steps of a new one."""
    env = family.make_env()
    try:
        env.reset(seed=0)
        env.action_space.seed(0)
        taken = []
        for _ in range(steps):
            action = env.action_space.sample()
            started = time.perf_counter()
            _, _, terminated, truncated, _ = env.step(action)
            taken.append(time.perf_counter() - started)
            if terminated or truncated:
                env.reset(seed=0)
        return min(taken)
    finally:
        env.close()
