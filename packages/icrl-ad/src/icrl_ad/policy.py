"""The policy: the frozen model with its cache."""

import copy
from typing import Literal

import torch
from torch import Tensor

from icrl.nn import KeyValueCache
from icrl.policy import SequencePolicy
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl_ad.model import DistillationModel


class DistillationPolicy(SequencePolicy[KeyValueCache]):
    """Acts as the recorded learners would go on, given what has happened in the trial so far."""

    def __init__(self, model: DistillationModel, decoding: Literal["sample", "argmax"]) -> None:
        """Keep a frozen copy of the model."""
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.decoding = decoding

    def initial_context(self, num_envs: int) -> KeyValueCache:
        """An empty cache."""
        return self.model.backbone.initial_cache(num_envs)

    @torch.no_grad()
    def logits(self, timesteps: TimeStep) -> Tensor:
        """[envs, time] -> [envs, time, logits]."""
        return self.model.logits(timesteps)

    def step(self, timestep: TimeStep, context: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        """[envs] -> [envs, logits]; the time that it takes does not grow with the steps taken."""
        with torch.inference_mode():
            logits, context = self.model.step(timestep, context)
        return logits.clone(), context  # a tensor of inference mode could never enter training

    def draw(self, logits: Tensor, generator: torch.Generator) -> Tree:
        """Sampled, or the likeliest action, as `decoding` says."""
        if self.decoding == "argmax":
            return self.model.head.mode(logits)
        return self.model.head.sample(logits, generator)
