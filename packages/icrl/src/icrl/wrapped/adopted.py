"""AdoptedVectorEnv: an existing vector environment of Gymnasium behind TaskVectorEnv."""

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import iterate
from torch import Tensor

from icrl.devices import find_device
from icrl.errors import AutoresetError, SpaceError, TaskError, UsageError
from icrl.families import TaskFamily
from icrl.spaces import array_dtype, leaf_shape, leaf_spaces, stack, unstack
from icrl.tasks import Tasks
from icrl.trees import Tree, map_tree, where
from icrl.vector import TaskVectorEnv
from icrl.wrapped.conversion import action_receiver
from icrl.wrapped.texts import with_texts


class AdoptedVectorEnv(TaskVectorEnv):
    """A vector environment that already exists, whose row `i` plays task `i` of `tasks`.

    | its autoreset | what happens                                                           |
    |---------------|------------------------------------------------------------------------|
    | SAME_STEP     | taken as it is, with the last observations from `info["final_obs"]`    |
    | DISABLED      | rows that ended are reset in the same step, by `options["reset_mask"]` |
    | NEXT_STEP     | so are Gymnasium's own two, which know that option; refused otherwise  |
    """

    def __init__(
        self,
        family: TaskFamily,
        tasks: Tasks,
        env: VectorEnv,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        """Adopt an environment.

        Raises:
            AutoresetError: for next-step autoreset that cannot be turned off: the step after an
                episode's end would enter histories as a transition that never was.
            SpaceError: if its spaces are not the family's.
            TaskError: if there are not as many tasks as rows.
        """
        self.closed = True  # until there is something to close
        family.check_tasks(tasks)
        if len(tasks) != env.num_envs:
            raise TaskError(
                f"{len(tasks)} tasks for a vector environment of {env.num_envs} rows; give one for "
                "each."
            )
        for what in ("observation_space", "action_space"):
            theirs, ours = with_texts(getattr(env, f"single_{what}")), getattr(family, what)
            if theirs != ours:
                raise SpaceError(
                    f"the vector environment has the {what} {theirs}, its family {family.id} has "
                    f"{ours}."
                )
        self._resets_itself = (
            env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP) is AutoresetMode.SAME_STEP
        )
        if not self._resets_itself and not _takes_reset_mask(env):
            raise AutoresetError(
                f"{env} resets an ended episode in the step after its end, which returns a "
                "transition that never was. "
                "Make it with autoreset_mode=AutoresetMode.SAME_STEP or DISABLED (`vector_kwargs` "
                "of gymnasium.make_vec)."
            )
        super().__init__(family, tasks, env.num_envs, find_device(str(device)))
        self._env = env
        self._ready = False
        self.closed = False
        self._action = map_tree(
            lambda s: np.zeros((env.num_envs, *leaf_shape(s)), array_dtype(s)),
            leaf_spaces(family.action_space),
        )
        self._receive = action_receiver(family.action_space, self._action)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Reset every row."""
        values, infos = self._env.reset(seed=seed, options=options)
        self._ready = True
        observation = self._batch(values)
        nowhere = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        return observation, self._info(observation, nowhere, infos)

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row; rows whose episode ends are reset in the same step."""
        if not self._ready:
            raise UsageError(f"{self.family.id}: call reset before the first step.")
        self._receive(actions)
        values, reward, terminated, truncated, infos = self._env.step(self._received())
        ended_by_itself = np.asarray(terminated, bool)
        done = ended_by_itself | np.asarray(truncated, bool)
        observation = outcome = self._batch(values)
        ended = torch.tensor(done, device=self.device)
        if done.any() and self._resets_itself:
            outcome = where(ended, self._final(infos, done, outcome), outcome)
        elif done.any():
            values, _ = self._env.reset(options={"reset_mask": done})
            observation = where(ended, self._batch(values), outcome)
        flags = (
            torch.tensor(flag, device=self.device)
            for flag in (ended_by_itself, done & ~ended_by_itself)
        )
        rewards = torch.tensor(np.asarray(reward, np.float32), device=self.device)
        return observation, rewards, *flags, self._info(outcome, ended, infos)

    def close_extras(self, **_: Any) -> None:
        """Close the environment."""
        self._env.close()

    def _batch(self, values: Any) -> Tree:
        rows = list(iterate(self._env.observation_space, values))
        return stack(self.single_observation_space, rows, self.device)

    def _received(self) -> Any:
        """The actions as the vector environment takes them: batched values of its action space."""
        if isinstance(self._action, np.ndarray):
            return self._action.astype(self._env.action_space.dtype)
        rows = unstack(self.single_action_space, self._action)
        return map_tree(lambda *leaves: np.stack(leaves), rows[0], *rows[1:])

    def _final(self, infos: dict[str, Any], done: np.ndarray, outcome: Tree) -> Tree:
        """The last observations of the rows that ended; other rows hold anything."""
        final = infos["final_obs"]
        if isinstance(final, np.ndarray) and final.dtype == object:
            template = final[int(np.flatnonzero(done)[0])]
            rows = [value if ended else template for value, ended in zip(final, done, strict=True)]
            return stack(self.single_observation_space, rows, self.device)
        return self._batch(final)

    def _info(self, outcome: Tree, ended: Tensor, infos: dict[str, Any]) -> dict[str, Any]:
        info = {"final_obs": outcome, "_final_obs": ended}
        if self.family.reports_success:
            info["success"] = torch.tensor(
                self._success(infos, ended.cpu().numpy()), device=self.device
            )
        return info

    def _success(self, infos: dict[str, Any], done: np.ndarray) -> np.ndarray:
        """Whether each row's transition reached success; of an ended row, `final_info` says it."""
        final = infos.get("final_info", {})
        found = np.zeros(self.num_envs, bool)
        for name in ("success", "is_success"):
            found |= np.asarray(infos.get(name, found), bool) & (
                ~done if self._resets_itself else True
            )
            found |= np.asarray(final.get(name, found), bool) & done
        return found


def _takes_reset_mask(env: VectorEnv) -> bool:
    """Whether rows can be reset by themselves, as in Gymnasium's own two always."""
    mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    return mode is AutoresetMode.DISABLED or isinstance(
        env.unwrapped, SyncVectorEnv | AsyncVectorEnv
    )
