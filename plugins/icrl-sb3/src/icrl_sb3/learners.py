"""Which learners of Stable-Baselines3 and sb3-contrib are agents, and where each can act."""

from dataclasses import dataclass
from typing import Literal

from gymnasium import Space

from icrl.errors import ConfigError, SpaceError
from icrl.sb3_fitting import plain_name

ANY = ("Discrete", "MultiDiscrete", "MultiBinary", "Box")
DISCRETE = ("Discrete",)
CONTINUOUS = ("Box",)


@dataclass(frozen=True)
class Learner:
    """A learner that is an agent."""

    name: str
    """What the agent is called."""
    algorithm: str
    """What SB3 calls it."""
    kind: Literal["on-policy", "recurrent", "off-policy"]
    """What its settings depend on."""
    actions: tuple[str, ...]
    """The spaces in which it acts."""
    steps: int
    """Of all environments together, that take minutes on two cores where nothing is an image."""
    title: str
    """Its name in full."""
    paper: str


LEARNERS = (
    Learner(
        "a2c", "A2C", "on-policy", ANY, 1_000_000, "Advantage Actor-Critic", "arXiv:1602.01783"
    ),
    Learner("crossq", "CrossQ", "off-policy", CONTINUOUS, 20_000, "CrossQ", "arXiv:1902.05605"),
    Learner(
        "ddpg",
        "DDPG",
        "off-policy",
        CONTINUOUS,
        100_000,
        "Deep Deterministic Policy Gradient",
        "arXiv:1509.02971",
    ),
    Learner("dqn", "DQN", "off-policy", DISCRETE, 200_000, "Deep Q-Network", "arXiv:1312.5602"),
    Learner(
        "ppo",
        "PPO",
        "on-policy",
        ANY,
        1_000_000,
        "Proximal Policy Optimization",
        "arXiv:1707.06347",
    ),
    Learner(
        "qr-dqn",
        "QRDQN",
        "off-policy",
        DISCRETE,
        100_000,
        "Quantile Regression DQN",
        "arXiv:1710.10044",
    ),
    Learner(
        "recurrent-ppo",
        "RecurrentPPO",
        "recurrent",
        ANY,
        100_000,
        "PPO with an LSTM that an episode's end resets",
        "arXiv:1707.06347",
    ),
    Learner(
        "sac", "SAC", "off-policy", CONTINUOUS, 100_000, "Soft Actor-Critic", "arXiv:1801.01290"
    ),
    Learner(
        "td3", "TD3", "off-policy", CONTINUOUS, 100_000, "Twin Delayed DDPG", "arXiv:1802.09477"
    ),
    Learner(
        "tqc",
        "TQC",
        "off-policy",
        CONTINUOUS,
        50_000,
        "Truncated Quantile Critics",
        "arXiv:2005.04269",
    ),
    Learner(
        "trpo",
        "TRPO",
        "on-policy",
        ANY,
        1_000_000,
        "Trust Region Policy Optimization",
        "arXiv:1502.05477",
    ),
)


def learner_of(algorithm: str) -> Learner:
    """The learner that an algorithm's name stands for: `PPO`, `QR-DQN`, `recurrent_ppo`.

    Raises:
        ConfigError: if it is none of those that are agents.
    """
    for learner in LEARNERS:
        if plain_name(algorithm) == plain_name(learner.algorithm):
            return learner
    names = ", ".join(learner.algorithm for learner in LEARNERS)
    raise ConfigError(
        f"algorithm is {algorithm!r}, which icrl-sb3 does not train. It trains: {names}."
    )


def check_actions(learner: Learner, space: Space, family: str) -> None:
    """Refuse a space in which a learner does not act, before anything is made.

    Raises:
        SpaceError: with the agents that act there.
    """
    kind = type(space).__name__
    if kind in learner.actions or kind not in ANY:  # what no learner serves, the view refuses
        return
    others = ", ".join(other.name for other in LEARNERS if kind in other.actions)
    raise SpaceError(
        f"{learner.name} acts in {' and '.join(learner.actions)} spaces, and {family} has {space}. "
        f"Agents that act there: {others}."
    )
