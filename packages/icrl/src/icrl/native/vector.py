"""NativeVectorEnv: thousands of environments of a native family as one batch of tensors."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from gymnasium import spaces
from torch import Tensor

from icrl.devices import find_device
from icrl.errors import SpaceError, TaskError, UsageError
from icrl.native.rehearsal import rehearse
from icrl.seeds import noise_seed
from icrl.spaces import leaf_dtype, leaf_shape, leaf_spaces
from icrl.tasks import Tasks
from icrl.trees import Tree, map_tree, where
from icrl.vector import TaskVectorEnv

if TYPE_CHECKING:
    from icrl.native.family import NativeFamily, State


class NativeVectorEnv(TaskVectorEnv):
    """Environments of a native family, stepped as one batch on the device that their tensors live
    on.

    All noise and all draws of tasks come from `generator`. Nothing is read back to the host (but
    which rows ended, where the family says that observing is dear): actions are checked for their
    shape and dtype, never for their values (which would also cost a tenth of the speed on a CPU).
    What a code out of its range does is not defined.
    """

    family: "NativeFamily"

    def __init__(
        self,
        family: "NativeFamily",
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Place the tasks on the device and try the family's functions once.

        Raises:
            TaskError: for counts below one.
            DeviceError: for a device that is not there.
            SpaceError: if the family's functions do not return what its spaces and this contract
            say.
        """
        num_envs = len(tasks) if num_envs is None else num_envs
        for name, count in (("num_envs", num_envs), ("episodes_per_task", episodes_per_task)):
            if count is not None and count < 1:
                raise TaskError(f"{name}={count}: expected 1 or more.")
        device = torch.device(device)
        if device.type == "cuda":
            device = find_device(str(device))
        self._pool = tasks.to(device)
        self._drawn = torch.arange(num_envs, device=device) % len(tasks)  # of the pool, by each row
        super().__init__(family, self._pool[self._drawn], num_envs, device)
        rehearse(family, self._pool[:1])
        # "meta" stands for an accelerator in tests; it has no generator of its own.
        self.generator = torch.Generator("cpu" if device.type == "meta" else device)
        self.generator.seed()
        self.state: State | None = None
        """What the rows are in, or None before the first reset; for sources and plots, never for
        policies.
        """
        self.outcome_state: State | None = None
        """What the last actions led to: `state`, except in rows whose episode ended: there its last
        state.
        """
        self._episodes_per_task = episodes_per_task
        self._actions = leaf_spaces(family.action_space)
        # Where all rows end together, their age is one number on the host.
        self._age: int | Tensor = 0
        self._episodes = torch.ones(num_envs, dtype=torch.int64, device=device)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Open an episode in every row; `seed` seeds the noise and the draws of tasks.

        With `episodes_per_task`, a seed (and the first reset) draws every row's task afresh; a
        later reset without one counts as the end of each row's episode.
        """
        if seed is not None:
            self.generator.manual_seed(noise_seed(seed))
        every = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        if self._episodes_per_task is not None:
            if seed is not None or self.state is None:
                self._draw_tasks(every)
                self._episodes = torch.ones_like(self._episodes)
            else:
                self._draw_tasks(self._count_episodes(every))
        task = self._tasks.arrays
        self.state = self.outcome_state = self.family.initial(task, self.generator)
        self._age = torch.zeros_like(self._episodes) if self.family.terminates else 0
        observation = self.family.observation(self.state, task)
        return observation, self._info(observation, ~every, ~every)

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row.

        Raises:
            UsageError: before the first reset.
            SpaceError: for actions of another shape and for fractions where codes are expected.
        """
        if self.state is None:
            raise UsageError(f"{self.family.id}: call reset before the first step.")
        task = self._tasks.arrays
        action = map_tree(self._as_action, self._actions, actions)
        done = self.family.transition(self.state, action, task, self.generator)
        outcome = self.family.observation(done.state, task)
        self.outcome_state = done.state
        end = self._end_apart if self.family.terminates else self._end_together
        observation, terminated, truncated, ended = end(done.state, outcome, done.terminated)
        info = self._info(outcome, ended, done.success)
        return observation, done.reward, terminated, truncated, info

    def _end_together(
        self, state: "State", outcome: Tree, _: Tensor | None
    ) -> tuple[Tree, Tensor, Tensor, Tensor]:
        """All rows reach the horizon at one step, which the host knows."""
        assert isinstance(self._age, int)
        self._age += 1
        end = self._age == self.family.max_episode_steps
        ended = torch.full((self.num_envs,), end, device=self.device)
        observation = outcome
        if end:
            self._age = 0
            state = self._opened(ended)
            observation = self.family.observation(state, self._tasks.arrays)
        self.state = state
        return observation, torch.zeros_like(ended), ended, ended.clone()

    def _end_apart(
        self, state: "State", outcome: Tree, terminated: Tensor | None
    ) -> tuple[Tree, Tensor, Tensor, Tensor]:
        """Each row ends on its own; the host need not know which."""
        assert isinstance(self._age, Tensor) and terminated is not None
        age = self._age + 1
        horizon = self.family.max_episode_steps
        truncated = (
            torch.zeros_like(terminated) if horizon is None else (age >= horizon) & ~terminated
        )
        ended = terminated | truncated
        self._age = age.masked_fill(ended, 0)
        self.state = where(ended, self._opened(ended), state)
        return self._observed(outcome, ended), terminated, truncated, ended

    def _observed(self, outcome: Tree, ended: Tensor) -> Tree:
        """What the rows show now: the outcome, or how the next episode opens where one ended."""
        task = dict(self._tasks.arrays)
        if not self.family.dear_observation:
            return self.family.observation(self.state, task)
        rows = rows_where(ended)
        if not len(rows):
            return outcome
        state, task = map_tree(lambda leaf: leaf.index_select(0, rows), (self.state, task))
        opened = self.family.observation(state, task)
        return map_tree(lambda whole, part: whole.index_copy(0, rows, part), outcome, opened)

    def _opened(self, ended: Tensor) -> "State":
        """Opening states of every row, after new tasks where `ended` rows are due one."""
        if self._episodes_per_task is not None:
            self._draw_tasks(self._count_episodes(ended))
        return self.family.initial(self._tasks.arrays, self.generator)

    def _count_episodes(self, ended: Tensor) -> Tensor:
        """Begin the next episode in rows [envs] bool; where it is the first of a trial, the answer
        is true.
        """
        assert self._episodes_per_task is not None
        last = ended & (self._episodes == self._episodes_per_task)
        self._episodes = (self._episodes + ended).masked_fill(last, 1)
        return last

    def _draw_tasks(self, rows: Tensor) -> None:
        """Draw a new task from the pool in rows [envs] bool."""
        index = torch.randint(
            len(self._pool), rows.shape, generator=self.generator, device=self.device
        )
        # Looking every row's task up again is cheaper than choosing between whole tasks.
        self._drawn = torch.where(rows, index, self._drawn)
        pool = self._pool.arrays
        arrays = {name: array.index_select(0, self._drawn) for name, array in pool.items()}
        self._tasks = replace(self._tasks, arrays=arrays)

    def _as_action(self, space: Any, action: Any) -> Tensor:
        given = torch.as_tensor(action)
        if given.dtype.is_floating_point and not isinstance(space, spaces.Box):
            raise SpaceError(
                f"{self.family.id} got actions of {given.dtype}, expected integers for {space}."
            )
        tensor = given.to(self.device, leaf_dtype(space))
        expected = (self.num_envs, *leaf_shape(space))
        if tensor.shape != expected:
            raise SpaceError(
                f"{self.family.id} got actions of shape {tuple(tensor.shape)}, "
                f"expected {expected} for {space}."
            )
        return tensor

    def _info(self, final: Tree, ended: Tensor, success: Tensor | None) -> dict[str, Any]:
        info = {"final_obs": final, "_final_obs": ended}
        return info | {"success": success} if self.family.reports_success else info


def rows_where(mask: Tensor) -> Tensor:
    """The numbers of the rows where a mask [envs] holds, int64; the host waits for their count."""
    return mask.nonzero().squeeze(1)
