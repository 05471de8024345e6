"""Settings of Algorithm Distillation; Expert Distillation is `last_part = 0.1`."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from icrl.config import Config
from icrl.errors import ConfigError, ContextError

TOKENS_PER_UPDATE = 6400
LONGEST_COMFORTABLE_WINDOW = 200
WINDOW_WITHOUT_HORIZON = 200


@dataclass(frozen=True, kw_only=True)
class DistillationConfig(Config):
    """Settings of Algorithm Distillation."""

    window: int | None = None
    """How many steps a step attends to; at least one episode. By default five episodes where they
    fit into 200 steps, else 200 steps or two episodes, whichever is more (200 where episodes have
    no limit)."""
    width: int = 64
    """Width of a token; a multiple of `heads`."""
    layers: int = 2
    """Transformer blocks."""
    heads: int = 4
    """Attention heads."""
    feed_forward: int = 256
    """Inner width of the feed-forward layers."""
    convolution: int = 4
    """Steps spanned by the causal convolution over tokens before the first block; 0 for none."""
    embedding_dropout: float = 0.0
    """Dropout of token embeddings."""
    residual_dropout: float = 0.0
    """Dropout of what each block adds."""
    attention_dropout: float = 0.0
    """Dropout of attention weights."""
    token_mask: float = 0.0
    """Probability with which a whole token is hidden in training."""
    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over all actions."""
    every: int = 1
    """Keep every so-manieth episode of a history; each phase is a history of its own."""
    last_part: float = 1.0
    """See only this last fraction of each history; Expert Distillation sees 0.1."""
    opening_share: float = 0.05
    """Share of the windows that open a history, as a trial does; the rest begin anywhere."""
    updates: int = 1000
    """Gradient steps."""
    batch: int | None = None
    """Windows in a gradient step; by default as many as hold 6400 steps, at least 4."""
    learning_rate: float = 4e-3
    """Its peak."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    """What follows the warm-up: a cosine down to `final_learning_rate`, or nothing."""
    warmup: float = 0.1
    """Fraction of the updates in which the learning rate rises, from 1/25 of its peak."""
    final_learning_rate: float = 0.0
    """Where the one cycle ends, as a fraction of the peak."""
    beta2: float = 0.99
    """AdamW's decay of squared gradients."""
    weight_decay: float = 0.01
    """AdamW's, of matrices alone."""
    clip: float = 1.0
    """Largest norm of a gradient."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Lightning Fabric's precision. bf16 pays on a GPU with large models."""
    decoding: Literal["sample", "argmax"] = "sample"
    """The policy draws from the model, as the paper's does, or takes the likeliest action."""

    def adapted(self, interface: Any) -> Self:
        """The settings with window and batch filled for the horizon.

        Raises:
            ConfigError: for values that are out of range.
            ContextError: if the window is shorter than one episode.
        """
        self._check()
        horizon = interface.max_episode_steps
        if self.window is not None and horizon is not None and self.window < horizon:
            raise ContextError(
                f"a window of {self.window} steps is shorter than one episode of "
                f"{interface.family} ({horizon} steps): nothing could be carried from one episode "
                f"to the next. Give window at least {2 * horizon}, or leave it out."
            )
        window = self.window if self.window is not None else fitting_window(horizon)
        batch = self.batch if self.batch is not None else max(4, TOKENS_PER_UPDATE // window)
        return replace(self, window=window, batch=batch)

    def _check(self) -> None:
        for name in (
            "window",
            "width",
            "layers",
            "heads",
            "feed_forward",
            "every",
            "updates",
            "batch",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        for name in ("convolution", "weight_decay", "final_learning_rate"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must not be negative.")
        for name in ("learning_rate", "clip", "last_part"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive.")
        for name in (
            "embedding_dropout",
            "residual_dropout",
            "attention_dropout",
            "token_mask",
            "label_smoothing",
            "beta2",
        ):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1).")
        for name in ("opening_share", "warmup", "last_part"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1].")
        if self.width % (2 * self.heads):
            raise ConfigError(
                f"width is {self.width} and heads is {self.heads}; the width must be an even "
                f"multiple of the heads: {2 * self.heads}, {4 * self.heads}, ..."
            )


def fitting_window(horizon: int | None) -> int:
    """The default window for episodes of at most `horizon` steps."""
    if horizon is None:
        return WINDOW_WITHOUT_HORIZON
    return max(2 * horizon, min(5 * horizon, LONGEST_COMFORTABLE_WINDOW))
