"""Settings of `elimination`: the guesser's, then how it learns."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from icrl.config import Config
from icrl.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class EliminationConfig(Config):
    """Settings of `elimination`."""

    hidden: int = 256
    """Hidden units of the guesser."""
    decoding: Literal["argmax", "sample"] = "argmax"
    """Which of the actions that are left is tried: the likeliest, or one that is drawn."""
    steps: int = 200_000
    """Steps in the environments, in all."""
    num_envs: int = 64
    """Environments; the guesser is updated after each step of theirs."""
    batch: int = 128
    """Revealed actions in a gradient step."""
    learning_rate: float = 1e-3
    """Adam's."""
    remembered: int = 20_000
    """How many revealed actions are kept with what was seen; newer ones take the place of older."""

    def adapted(self, interface: Any) -> Self:
        """The settings as they are.

        Raises:
            ConfigError: for values that are out of range.
        """
        for name in ("hidden", "steps", "num_envs", "batch", "remembered"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}; it must be positive.")
        if self.remembered < self.num_envs:
            raise ConfigError(
                f"remembered is {self.remembered}, but {self.num_envs} environments may reveal as "
                "many actions in one step. Give at least as many."
            )
        return self
