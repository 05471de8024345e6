"""RememberingEnv: environments that show what an episode's transitions tell beside the state."""

from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces
from gymnasium.vector.utils import batch_space
from torch import Tensor

from icrl.interaction import policy_generator
from icrl.tasks import Tasks
from icrl.trees import Tree, where
from icrl.vector import TaskVectorEnv
from icrl_cadm.collecting import check_finite
from icrl_cadm.controls import Controls
from icrl_cadm.model_free.memory import Memory


class RememberingEnv(TaskVectorEnv):
    """A `TaskVectorEnv` of states and clues, acted in by controls.

    | what        | space                                                                  |
    |-------------|------------------------------------------------------------------------|
    | observation | Dict: `state`, what a model would see of it, and the memory's clues    |
    | action      | Box [-1, 1] for continuous actions, else Discrete or MultiDiscrete     |

    Where the memory probes, the environment draws a uniform control, whatever action it is given:
    an episode's first rewards then depend on no action, and teach a learner nothing of them.
    `final_obs` has the history up to the episode's end, and what is returned has none of it.
    """

    def __init__(
        self,
        env: TaskVectorEnv,
        memory: Memory,
        controls: Controls,
        *,
        limits_terminate: bool,
    ) -> None:
        """
        Args:
            env: the environment.
            memory: what rows remember, and how observations are vectors.
            controls: how its actions are vectors.
            limits_terminate: say of an episode that a time limit ends that it terminated.
        """
        super().__init__(env.family, env.tasks, env.num_envs, env.device)
        self._env, self._memory, self._controls = env, memory, controls
        self.single_observation_space = memory.space
        self.single_action_space = learner_actions(controls)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self.action_space = batch_space(self.single_action_space, env.num_envs)
        self._given = Controls(self.single_action_space, env.device)
        self._past = memory.blank(env.num_envs, env.device)
        self._generator = policy_generator(0, env.device)
        self._limits_terminate, self._steps = limits_terminate, 0

    @property
    def tasks(self) -> Tasks:
        """The tasks that the rows play now."""
        return self._env.tasks

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Open an episode in every row, in which nothing has happened."""
        if seed is not None:
            self._generator = policy_generator(seed, self.device)
        self._steps = 0
        observation, info = self._env.reset(seed=seed, options=options)
        every = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)
        self._open(every, self._finite(observation))
        shown = self._memory.shown(self._past)
        return shown, info | {"final_obs": shown}

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """Step every row.

        Raises:
            SpaceError: for an observation that is not finite.
        """
        control = self._given.encoded(torch.as_tensor(actions, device=self.device))
        if self._memory.num_probes:
            drawn = self._controls.random((self.num_envs,), self._generator)
            control = where(self._memory.probing(self._past), drawn, control)
        received = self._controls.decoded(control)
        observation, reward, terminated, truncated, info = self._env.step(received)
        self._steps += 1
        ended = terminated | truncated
        self._past = self._memory.lived(self._past, control, self._finite(info["final_obs"]))
        shown = final = self._memory.shown(self._past)
        if bool(ended.any()):
            self._open(ended, self._finite(observation))
            shown = self._memory.shown(self._past)
        if self._limits_terminate:
            terminated, truncated = ended, torch.zeros_like(ended)
        return shown, reward, terminated, truncated, info | {"final_obs": final}

    def close(self, **keywords: Any) -> None:
        """Close the environment."""
        self._env.close(**keywords)

    def _open(self, rows: Tensor, state: Tensor) -> None:
        self._past = self._memory.reopened(self._past, rows, state, self._generator)

    def _finite(self, observation: Tree) -> Tensor:
        state = self._memory.states.vectors(observation)
        check_finite(state, self._env, self._steps)
        return state


def learner_actions(controls: Controls) -> Space:
    """The actions by which a learner chooses controls; it gives out one number for each of a
    control's.
    """
    if controls.choices is None:
        return spaces.Box(-1.0, 1.0, (controls.width,), np.float32)
    if len(controls.choices) == 1:
        return spaces.Discrete(controls.choices[0])
    return spaces.MultiDiscrete(np.array(controls.choices))
