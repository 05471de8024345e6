"""The model: one token a step, a causal transformer, an action head."""

from collections.abc import Mapping

import torch
from gymnasium import Space
from torch import Tensor, nn

from icrl.nn import (
    CausalBackbone,
    KeyValueCache,
    TimeStepEncoder,
    action_head,
    dropout,
)
from icrl.nn.dropout import dropped
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl_ad.config import DistillationConfig


class DistillationModel(nn.Module):
    """Predicts what the recorded learner did next, from all that it saw before."""

    def __init__(
        self, config: DistillationConfig, observation_space: Space, action_space: Space
    ) -> None:
        """
        Raises:
            SpaceError: for spaces that have no encoder or head.
        """
        super().__init__()
        assert config.window is not None
        self.token_mask = config.token_mask
        self.embedding_dropout = config.embedding_dropout
        self.encoder = TimeStepEncoder(observation_space, action_space, config.width)
        self.backbone = CausalBackbone(
            config.width,
            layers=config.layers,
            heads=config.heads,
            feed_forward=config.feed_forward,
            window=config.window,
            convolution=config.convolution,
            residual_dropout=config.residual_dropout,
            attention_dropout=config.attention_dropout,
        )
        self.head = action_head(action_space, config.width)

    def forward(
        self, timesteps: Mapping[str, Tree], generator: torch.Generator | None = None
    ) -> Tensor:
        """`logits` for Lightning Fabric, which would rewrite a dataclass: fields by name."""
        return self.logits(TimeStep(**timesteps), generator)

    def logits(self, timesteps: TimeStep, generator: torch.Generator | None = None) -> Tensor:
        """Logits of the action that follows each timestep: [batch, time] -> [batch, time, logits].

        Dropout and masks draw from `generator`; without one there are none.
        """
        tokens = self.encoder(timesteps)
        if generator is not None and self.token_mask:
            hidden = dropped(tokens.shape[:2], self.token_mask, generator, tokens.device)
            tokens = tokens.masked_fill(hidden.unsqueeze(-1), 0)
        tokens = dropout(tokens, self.embedding_dropout, generator)
        return self.head.logits(self.backbone(tokens, generator))

    def step(self, timestep: TimeStep, cache: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        """The logits of one step, [envs] -> [envs, logits], from the cache, which is written to."""
        output, cache = self.backbone.step(self.encoder(timestep), cache)
        return self.head.logits(output), cache

    def loss(self, logits: Tensor, action: Tree, mask: Tensor, label_smoothing: float) -> Tensor:
        """Mean negative log-likelihood of actions [batch, time], where `mask` holds."""
        losses = self.head.loss(logits, action, label_smoothing)
        return (losses * mask).sum() / mask.sum()
