"""RememberingPolicy: acts as PPO learned to, on what the episode told so far."""

import copy

import torch
from torch import Tensor

from icrl.nn.actions import gumbel_noised
from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl.trees import Tree, where
from icrl_cadm.controls import Controls, chosen
from icrl_cadm.model_free.memory import Memory, Past
from icrl_cadm.model_free.networks import Actor


class RememberingPolicy(Policy[Past]):
    """Draws from PPO's actor, or takes its likeliest action; it forgets at an episode's end."""

    def __init__(
        self,
        actor: Actor,
        memory: Memory,
        controls: Controls,
        *,
        device: torch.device | str,
        argmax: bool,
    ) -> None:
        """Keep a frozen copy of the actor.

        Args:
            actor: what PPO learned.
            memory: what it was shown, and how observations are vectors; on the device.
            controls: how actions are vectors; on the device.
            device: where it acts.
            argmax: take the likeliest action, and the mean of an inferred context. A probe is drawn
                in any case.
        """
        self.actor = copy.deepcopy(actor).requires_grad_(False).eval().to(device)
        self._memory, self._controls = memory, controls
        self._device, self._argmax = device, argmax

    def initial_context(self, num_envs: int) -> Past:
        """Nothing has happened."""
        return self._memory.blank(num_envs, self._device)

    @torch.no_grad()
    def act(
        self, timestep: TimeStep, context: Past, generator: torch.Generator
    ) -> tuple[Tree, Past]:
        """An action for each environment."""
        past = self.remembered(timestep, context, generator)
        control = self._drawn(self.actor(self._memory.shown(past)), generator)
        if self._memory.num_probes:
            probe = self._controls.random((len(control),), generator)
            control = where(self._memory.probing(past), probe, control)
        return self._controls.decoded(control), past

    def remembered(self, timestep: TimeStep, context: Past, generator: torch.Generator) -> Past:
        """The past once the timestep's action has led to its observation.

        Where it ended an episode, its outcome is forgotten at once, and so is not looked at.
        """
        state = self._memory.states.vectors(timestep.observation)
        past = self._memory.lived(context, self._controls.encoded(timestep.action), state)
        draws = None if self._argmax else generator
        return self._memory.reopened(past, timestep.episode_start, state, draws)

    def _drawn(self, outputs: Tensor, generator: torch.Generator) -> Tensor:
        """Controls [envs, control numbers] from what the actor gives out."""
        choices = self._controls.choices
        if choices is None:
            if not self._argmax:
                assert self.actor.log_std is not None  # the learner acts in a Box
                noise = torch.randn(outputs.shape, generator=generator, device=outputs.device)
                outputs = outputs + self.actor.log_std.exp() * noise
            return outputs.clamp(-1, 1)
        return chosen(outputs if self._argmax else gumbel_noised(outputs, generator), choices)
