"""Rollouts, minibatches and replay buffers of Stable-Baselines3, fitted to episodes and steps, and
what its learners convolve.

Apart from `icrl.sb3`, since settings are read before torch is imported.
"""

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from gymnasium import Space, spaces

from icrl.errors import ConfigError

LONGEST_ROLLOUT = 128
"""Steps; enough for an update, and few enough that updates are many."""
ROLLOUTS = ("ppo", "trpo", "recurrentppo")
"""On-policy algorithms whose default rollout of 128 or 2048 steps is longer than many an episode.
"""
REPLAY = ("dqn", "qrdqn", "sac", "td3", "ddpg", "tqc", "crossq")
"""Off-policy algorithms, which reserve room for a million transitions."""
REPLAY_BYTES = 2**30
"""What the observations of a replay buffer may take."""
SMALLEST_IMAGE = 36
"""SB3's convolutional network shrinks a smaller side to nothing."""
IMAGES_TAKE = 10
"""About how many times as long a learner takes for a step whose observation it convolves."""


def plain_name(algorithm: str) -> str:
    """The name of an algorithm without case and signs: `QR-DQN`, `qrdqn` and `qr_dqn` are one."""
    return "".join(character for character in algorithm if character.isalnum()).lower()


def fitted(
    algorithm: str,
    settings: Mapping[str, Any],
    observation_space: Space,
    *,
    rollout: int,
    steps: int,
    num_envs: int,
    batch: tuple[int, int] = (32, 64),
) -> dict[str, Any]:
    """The keywords of an algorithm, with those that the settings leave out fitted.

    Minibatches are equal, since SB3 warns of a last one that is short; a replay buffer has room for
    all steps, if a GiB suffices.

    Args:
        algorithm: its name.
        settings: keywords that stay as they are.
        observation_space: what is seen.
        rollout: steps of each environment between two updates, at most; of on-policy algorithms.
        steps: of each environment, in all.
        num_envs: environments.
        batch: smallest and largest minibatch; if none in between divides the rollout, then the next
            larger that does.

    Raises:
        ConfigError: if the algorithm needs action masks.
    """
    name = plain_name(algorithm)
    if name == "maskableppo":
        raise ConfigError(
            "MaskablePPO needs action masks, which families do not give. PPO is the same without "
            "them."
        )
    found: dict[str, Any] = {}
    if name in ROLLOUTS:
        found = _rollout(settings.get("n_steps", min(rollout, steps)), num_envs, batch)
    elif name in REPLAY:
        room = REPLAY_BYTES // (2 * observation_bytes(observation_space))
        found = {"buffer_size": max(min(steps * num_envs, room), 1_000)}
    return found | dict(settings)


def observation_bytes(space: Space) -> int:
    """How many bytes an observation takes at most as a learner sees it (`icrl.sb3.views`)."""
    return sum(_bytes(part) for part in parts(space))


def _bytes(space: Space) -> int:
    match space:
        case spaces.MultiDiscrete():
            return 4 * int(space.nvec.sum())  # one-hot
        case spaces.Text():
            codes = space.max_length * (len(space.characters) + 1)
            return 4 * min(codes, max(space.max_length, 2048))  # one-hot, if it is short
        case spaces.Box() if is_image(space):
            return prod(space.shape)
        case spaces.Box():
            return 4 * prod(space.shape)
    return 8 * prod(space.shape or ())


def is_image(space: Space) -> bool:
    """Whether a learner convolves these observations; what is smaller, it sees as a vector."""
    return (
        isinstance(space, spaces.Box)
        and space.dtype == "uint8"
        and len(space.shape) == 3
        and sorted(space.shape)[1] >= SMALLEST_IMAGE
        and bool((space.low == 0).all() and (space.high == 255).all())
    )


def has_images(space: Space) -> bool:
    """Whether observations are images, or Dicts and Tuples with images among them."""
    return any(is_image(part) for part in parts(space))


def parts(space: Space) -> Iterator[Space]:
    """The spaces within Dicts and Tuples, also nested; of any other space itself."""
    if isinstance(space, spaces.Dict):
        space = spaces.Tuple(space.spaces.values())
    if isinstance(space, spaces.Tuple):
        for child in space.spaces:
            yield from parts(child)
    else:
        yield space


def _rollout(steps: int, num_envs: int, batch: tuple[int, int]) -> dict[str, Any]:
    smallest, largest = batch
    transitions = max(steps * num_envs, 2)
    sizes = (*range(largest, smallest - 1, -1), *range(largest, transitions))
    size = next((size for size in sizes if transitions % size == 0), transitions)
    return {"n_steps": max(steps, 2 if num_envs == 1 else 1), "batch_size": size}
