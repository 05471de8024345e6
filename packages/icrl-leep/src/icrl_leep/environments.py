"""The members' training environments as one: each member's rows draw from its own tasks."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from icrl.trees import map_tree


class MemberVecEnv(VecEnv):
    """Vector environments with equally many rows, one member's after the other's."""

    def __init__(self, parts: Sequence[VecEnv]) -> None:
        """
        Args:
            parts: one for each member.
        """
        self.parts = list(parts)
        first = self.parts[0]
        self.share = first.num_envs
        self.render_mode = first.render_mode
        super().__init__(
            sum(part.num_envs for part in parts), first.observation_space, first.action_space
        )

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the parts' next resets, each with a seed of its own."""
        return [
            used
            for member, part in enumerate(self.parts)
            for used in part.seed(None if seed is None else seed + member)
        ]

    def reset(self) -> VecEnvObs:
        """Open an episode in every row."""
        observations = [part.reset() for part in self.parts]
        self.reset_infos = [info for part in self.parts for info in part.reset_infos]
        return _joined(observations)

    def step_async(self, actions: np.ndarray) -> None:
        """Hand each member's actions to its environments."""
        for part, own in zip(self.parts, np.split(actions, len(self.parts)), strict=True):
            part.step_async(own)

    def step_wait(self) -> VecEnvStepReturn:
        """Step every row."""
        results = [part.step_wait() for part in self.parts]
        observations, rewards, dones, infos = zip(*results, strict=True)
        return (
            _joined(observations),
            np.concatenate(rewards),
            np.concatenate(dones),
            [info for part in infos for info in part],
        )

    def close(self) -> None:
        """Close every part."""
        for part in self.parts:
            part.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the rows' environments."""
        rows = map(self._part, self._get_indices(indices))
        return [part.get_attr(attr_name, own)[0] for part, own in rows]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the rows' environments."""
        for part, own in map(self._part, self._get_indices(indices)):
            part.set_attr(attr_name, value, own)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the rows' environments."""
        return [
            part.env_method(method_name, *method_args, indices=own, **method_kwargs)[0]
            for part, own in map(self._part, self._get_indices(indices))
        ]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None
    ) -> list[bool]:
        """What the parts say."""
        return [
            part.env_is_wrapped(wrapper_class, own)[0]
            for part, own in map(self._part, self._get_indices(indices))
        ]

    def _part(self, row: int) -> tuple[VecEnv, list[int]]:
        """Whose a row is, and which it is there."""
        return self.parts[row // self.share], [row % self.share]


def _joined(observations: Sequence[Any]) -> Any:
    return map_tree(lambda *parts: np.concatenate(parts), *observations)
