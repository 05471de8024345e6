"""WrappedVectorEnv: simulators on the CPU behind TaskVectorEnv."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from icrl.devices import find_device
from icrl.errors import TaskError, UsageError
from icrl.tasks import Tasks
from icrl.trees import Tree, map_tree, where
from icrl.vector import TaskVectorEnv
from icrl.wrapped.buffers import Buffers, Layout
from icrl.wrapped.conversion import action_receiver
from icrl.wrapped.simulators import (
    SLOW_STEP_SECONDS,
    Simulators,
    SteppedTogether,
    Stepper,
)
from icrl.wrapped.workers import AVAILABLE, WorkerSimulators

if TYPE_CHECKING:
    from icrl.wrapped.family import WrappedFamily

ANSWERS = ("reward", "terminated", "truncated", "success", "outcome")
"""What every step brings back."""


class WrappedVectorEnv(TaskVectorEnv):
    """Gymnasium environments, one for each row, behind `TaskVectorEnv`.

    Continuous actions are clipped to the bounds of their Box before an environment receives them;
    `icrl.spaces.clipper` says what it received. A float64 observation or action space becomes
    float32 in tensors.
    """

    family: "WrappedFamily"

    def __init__(
        self,
        family: "WrappedFamily",
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
        workers: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Make the environments; see `WrappedFamily.vector_env` for the arguments."""
        num_envs = len(tasks) if num_envs is None else num_envs
        if num_envs < 1 or (episodes_per_task is not None and episodes_per_task < 1):
            raise TaskError(
                f"num_envs={num_envs} and episodes_per_task={episodes_per_task}; both must be at "
                "least 1."
            )
        super().__init__(family, tasks, num_envs, find_device(str(device)))
        self.closed = True  # until there is something to close
        self.render_mode = render_mode
        self._pool = tasks
        self._arrays = {name: array.detach().cpu().numpy() for name, array in tasks.arrays.items()}
        self._episodes_per_task = episodes_per_task
        self._draws: np.random.Generator | None = None
        self._playing = np.arange(num_envs) % len(tasks)
        self._next = self._playing.copy()
        # Episodes of the task that each row plays, the current one included.
        self._begun = np.ones(num_envs, np.int64)
        self._layout = self._laid_out()
        self._simulators, self._buffers, memory = self._start(workers, render_mode)
        self._block = torch.from_numpy(np.frombuffer(memory, np.uint8))
        self._fields = self._layout.tensors(self._block, *ANSWERS, "opening")
        self._receive = action_receiver(family.action_space, self._buffers.action)
        self.closed = False

    @property
    def tasks(self) -> Tasks:
        """The tasks that the rows play now, [envs]."""
        return self._pool[torch.from_numpy(self._playing.copy())]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Open an episode in every row; `seed` seeds the noise and the draws of tasks.

        With `episodes_per_task`, a seed (and the first reset) draws every row's task afresh; a
        later reset without one counts as the end of each row's episode.
        """
        if seed is not None or self._draws is None:
            self._draws = np.random.default_rng(seed)
            self._buffers.seed[:] = self._draws.integers(0, 2**31 - 1, self.num_envs)
            if self._episodes_per_task is not None:
                self._playing[:] = self._draws.integers(0, len(self._pool), self.num_envs)
                self._begun[:] = 1
                self._draw_next(np.arange(self.num_envs))
        else:
            self._advance(np.arange(self.num_envs))
        self._set_tasks(np.arange(self.num_envs), self._playing)
        self._buffers.success[:] = False
        self._simulators.reset()
        self._set_tasks(np.arange(self.num_envs), self._next)
        observation, success = self._moved("opening", "success")
        nowhere = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        return observation, self._info(observation, nowhere, success)

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row.

        Raises:
            UsageError: before the first reset.
            SpaceError: for actions of another shape or out of their range, and for observations
                that do not fit.
        """
        if self._draws is None:
            raise UsageError(f"{self.family.id}: call reset before the first step.")
        buffers = self._buffers
        self._receive(actions)
        self._simulators.step()
        rows = np.flatnonzero(buffers.terminated | buffers.truncated)
        wanted = ANSWERS + ("opening",) * bool(len(rows))
        reward, terminated, truncated, success, outcome, *opening = self._moved(*wanted)
        observation, ended = outcome, terminated | truncated
        if opening:
            observation = where(ended, opening[0], outcome)
            self._advance(rows)
            self._set_tasks(rows, self._next)
        return observation, reward, terminated, truncated, self._info(outcome, ended, success)

    def render(self) -> tuple[Any, ...] | None:
        """A frame of every row, if the environment was made with a `render_mode`."""
        return self._simulators.render()

    def close_extras(self, **_: Any) -> None:
        """Close the simulators."""
        self._simulators.close()

    def _laid_out(self) -> Layout:
        tasks = {name: (array.shape[1:], array.dtype.str) for name, array in self._arrays.items()}
        family = self.family
        return Layout(family.observation_space, family.action_space, tasks, self.num_envs)

    def _start(self, workers: int | None, render_mode: str | None) -> tuple[Stepper, Buffers, Any]:
        family, layout = self.family, self._layout
        against = _against_workers(family, render_mode)
        if workers is None:
            workers = 0 if against else num_workers(family, self.num_envs)
        if workers > 0 and against:
            raise UsageError(f"{family.id}: worker processes cannot {against}; use workers=0.")
        if workers > 0:
            remote = WorkerSimulators(family, layout, min(workers, self.num_envs))
            return remote, remote.buffers, remote.memory
        memory = bytearray(layout.num_bytes())
        buffers = Buffers.over(layout, memory)
        if isinstance(family, SteppedTogether):
            return family.stepper(buffers), buffers, memory
        return Simulators(family, range(self.num_envs), buffers, render_mode), buffers, memory

    def _advance(self, rows: np.ndarray) -> None:
        """These rows begin the episode that was prepared for them; prepare the one after."""
        if self._episodes_per_task is None:
            return
        fresh = self._begun[rows] == self._episodes_per_task
        self._begun[rows] = np.where(fresh, 1, self._begun[rows] + 1)
        self._playing[rows] = self._next[rows]
        self._draw_next(rows)

    def _draw_next(self, rows: np.ndarray) -> None:
        """Decide the task of the next episode: a new draw after the last one of a trial."""
        assert self._draws is not None
        self._next[rows] = self._playing[rows]
        last = rows[self._begun[rows] == self._episodes_per_task]
        self._next[last] = self._draws.integers(0, len(self._pool), len(last))

    def _set_tasks(self, rows: np.ndarray, tasks: np.ndarray) -> None:
        for name, array in self._buffers.task.items():
            array[rows] = self._arrays[name][tasks[rows]]

    def _moved(self, *names: str) -> list[Tree]:
        """Fields of the buffers, moved to the device in one piece and copied there."""
        fields = self._fields
        if self.device.type != "cpu":
            end = max(self._layout.ends[name] for name in names)
            fields = self._layout.tensors(self._block[:end].to(self.device), *names)
        return [map_tree(torch.clone, fields[name]) for name in names]

    def _info(self, outcome: Tree, ended: Tensor, success: Tensor) -> dict[str, Any]:
        info = {"final_obs": outcome, "_final_obs": ended}
        if self.family.reports_success:
            info["success"] = success
        return info


def _against_workers(family: "WrappedFamily", render_mode: str | None) -> str | None:
    """What worker processes cannot do, where it is needed."""
    if isinstance(family, SteppedTogether):
        return "help a simulator that has threads of its own"
    if render_mode is not None:
        return "draw frames"
    return None if AVAILABLE else "run on this system"


def num_workers(family: "WrappedFamily", num_envs: int) -> int:
    """How many processes are worth it: one for each core, if a step of all environments takes long;
    else none.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if min(cores, num_envs) < 2 or num_envs * family.step_seconds < SLOW_STEP_SECONDS:
        return 0
    return min(cores, num_envs)
