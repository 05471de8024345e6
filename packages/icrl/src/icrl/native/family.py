"""NativeFamily: a family whose dynamics are written once, as pure functions on tensors."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch
from torch import Tensor

from icrl.families import Playable, Rendered, TaskFamily
from icrl.tasks import Tasks
from icrl.trees import Tree

if TYPE_CHECKING:
    from icrl.native.single import NativeEnv
    from icrl.native.vector import NativeVectorEnv

Task: TypeAlias = Mapping[str, Tensor]
"""The arrays of the tasks that the rows play, [envs, ...] each."""

State: TypeAlias = Tree
"""What the rows are in, as the family lays it out: a tree of tensors, [envs, ...] each."""


class Consequence(NamedTuple):
    """What an action did, in every row."""

    state: State
    """The state that it led to."""
    reward: Tensor
    """[envs] float32."""
    terminated: Tensor | None = None
    """[envs] bool; None in a family that never terminates."""
    success: Tensor | None = None
    """[envs] bool; None in a family that reports none."""


class NativeFamily(TaskFamily, Playable, Rendered):
    """A family of four pure functions: `initial`, `transition`, `observation` and `render`.

    The batched environment on any device and the single Gymnasium environment are derived from
    them. The first three take and return batches on one device; they write to no tensor that they
    are given, read nothing back to the host (no `.item()`, no boolean indexing: `torch.where` on
    masks), and draw randomness from the given generator alone. What depends on the task only can be
    worked out in `initial` and carried in the state.

    Constants that the functions need on the device are best kept per device, since copying one from
    the CPU at each step would stop a GPU's stream.
    """

    terminates: bool
    """Whether an episode can end before `max_episode_steps`. If not, all rows of a batch end
    together: then a
    reset costs nothing on the steps between.
    """
    dear_observation: bool = False
    """Whether an observation costs more than a wait for the device, as pixels do. Then the
    environment reads back at each step which rows ended, and only those are observed once more, as
    they open; otherwise every row is, and nothing is read back.
    """

    @abstractmethod
    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The states in which episodes open."""

    @abstractmethod
    def transition(
        self, state: State, action: Tree, task: Task, generator: torch.Generator
    ) -> Consequence:
        """What actions ([envs, *action], in the layout of `icrl.spaces`) do; the horizon is not its
        business.
        """

    @abstractmethod
    def observation(self, state: State, task: Task) -> Tree:
        """What an agent sees of states, in the layout of `icrl.spaces`; never a tensor of the state
        itself.
        """

    def vector_env(
        self,
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
    ) -> "NativeVectorEnv":
        """Environments that play these tasks; see `TaskFamily.vector_env`."""
        from icrl.native.vector import NativeVectorEnv

        self.check_tasks(tasks)
        return NativeVectorEnv(
            self, tasks, num_envs=num_envs, episodes_per_task=episodes_per_task, device=device
        )

    def single_env(
        self,
        *,
        split: str = "train",
        episodes_per_task: int | None = None,
        render_mode: str | None = None,
    ) -> "NativeEnv":
        """One environment that speaks NumPy; see `icrl.single.TaskEnv`."""
        from icrl.native.single import NativeEnv

        return NativeEnv(
            self, split=split, episodes_per_task=episodes_per_task, render_mode=render_mode
        )
