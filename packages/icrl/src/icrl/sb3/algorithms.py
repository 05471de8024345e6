"""Algorithms of Stable-Baselines3 and sb3-contrib by name, made from plain settings."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import stable_baselines3
import torch
from gymnasium import Space, spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecEnv

from icrl.errors import ConfigError, SpaceError
from icrl.sb3_fitting import is_image, plain_name

CLASSES_FROM = (torch.nn, torch.optim)
"""Where the classes that settings name may come from; nothing else is ever looked up."""


def algorithms() -> dict[str, type[BaseAlgorithm]]:
    """Every algorithm that is installed, by its name."""
    modules: list[Any] = [stable_baselines3]
    try:
        import sb3_contrib

        modules.append(sb3_contrib)
    except ModuleNotFoundError:
        pass
    found = {name: getattr(module, name) for module in modules for name in module.__all__}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, BaseAlgorithm)
    }


def algorithm(name: str) -> type[BaseAlgorithm]:
    """The algorithm called so: `PPO`, `ppo`, `QR-DQN`, `recurrent_ppo`.

    Raises:
        ConfigError: with the names that there are.
    """
    by_plain_name = {plain_name(known): known for known in algorithms()}
    known = by_plain_name.get(plain_name(name))
    if known is None:
        nearest = difflib.get_close_matches(plain_name(name), by_plain_name, n=1)
        hint = f" Did you mean {by_plain_name[nearest[0]]!r}?" if nearest else ""
        names = ", ".join(sorted(by_plain_name.values()))
        contrib = (
            "" if "QRDQN" in by_plain_name.values() else " More come with: pip install sb3-contrib"
        )
        raise ConfigError(
            f"Stable-Baselines3 has no algorithm {name!r}.{hint} It has: {names}.{contrib}"
        )
    return algorithms()[known]


def policy_name(learner: type[BaseAlgorithm], observation_space: Space) -> str:
    """The policy of an algorithm for what its learner sees: for vectors, images or dictionaries.

    Raises:
        SpaceError: if the algorithm has no policy for that.
    """
    if isinstance(observation_space, spaces.Dict):
        kind = "MultiInput"
    elif is_image(observation_space):
        kind = "Cnn"
    else:
        kind = "Mlp"
    for name in (f"{kind}LstmPolicy", f"{kind}Policy"):
        if name in learner.policy_aliases:
            return name
    have = ", ".join(learner.policy_aliases)
    raise SpaceError(f"{learner.__name__} has no policy for {observation_space}; it has: {have}.")


def make_model(
    learner: type[BaseAlgorithm],
    env: VecEnv,
    *,
    seed: int | None,
    policy: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
) -> BaseAlgorithm:
    """A learner on an environment.

    Args:
        learner: the algorithm's class.
        env: the environment it learns in.
        seed: seeds its weights, its exploration and the environment.
        policy: the name of SB3's policy; None: the one for the observation space.
        settings: keywords of the algorithm as plain data: classes of `policy_kwargs` by their name
            in `torch.nn` or `torch.optim`, lists where SB3 wants tuples, and for `action_noise` a
            number: the deviation of Gaussian noise, where 1 is half the range of an action.
        device: where its networks are.

    Raises:
        ConfigError: for a keyword or a value that the algorithm does not take.
        SpaceError: for spaces that it cannot serve.
    """
    keywords = python_settings(settings or {})
    known = set(inspect.signature(learner).parameters) - {
        "policy",
        "env",
        "seed",
        "device",
        "_init_setup_model",
    }
    for name in keywords.keys() - known:
        raise ConfigError(
            f"{learner.__name__} has no setting {name!r}. It has: {', '.join(sorted(known))}."
        )
    policy = policy or policy_name(learner, env.observation_space)
    if policy not in learner.policy_aliases:
        raise ConfigError(
            f"{learner.__name__} has no policy {policy!r}. It has: "
            f"{', '.join(learner.policy_aliases)}."
        )
    noise = keywords.get("action_noise")
    if isinstance(noise, int | float):
        means = np.zeros(env.action_space.shape or ())
        keywords["action_noise"] = NormalActionNoise(means, np.full_like(means, noise))
    try:
        return learner(policy, env, seed=seed, device=device, **keywords)
    except AssertionError as error:
        raise SpaceError(f"{learner.__name__} cannot serve this environment: {error}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{learner.__name__} cannot be made with {dict(settings or {})}: {error}"
        ) from error


@contextmanager
def blamed_settings(learner: type[BaseAlgorithm]) -> Iterator[None]:
    """While a model learns: what SB3 asserts is about settings that do not fit the environment.

    Raises:
        ConfigError: with what SB3 says.
    """
    try:
        yield
    except AssertionError as error:
        raise ConfigError(f"{learner.__name__} stopped: {error}") from error


def python_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the values that plain data cannot express: classes and tuples."""
    made: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, str) and name.endswith(("_fn", "_class")):
            made[name] = _named_class(name, value)
        elif isinstance(value, Mapping):
            made[name] = python_settings(value)
        elif isinstance(value, list) and name in ("train_freq", "betas"):
            made[name] = tuple(value)
        else:
            made[name] = value
    return made


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as plain data: what `python_settings` reads.

    Raises:
        ConfigError: for a value that has no plain form.
    """
    plain: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, type) and any(
            getattr(m, value.__name__, None) is value for m in CLASSES_FROM
        ):
            plain[name] = value.__name__
        elif isinstance(value, Mapping):
            plain[name] = plain_settings(value)
        elif isinstance(value, tuple):
            plain[name] = list(value)
        elif value is None or isinstance(value, bool | int | float | str | list):
            plain[name] = value
        else:
            raise ConfigError(
                f"the setting {name}={value!r} has no plain form; only numbers, strings, lists and "
                "classes of torch.nn "
                "and torch.optim can be written without pickling."
            )
    return plain


def _named_class(setting: str, name: str) -> type:
    for module in CLASSES_FROM:
        found = getattr(module, name, None)
        if isinstance(found, type):
            return found
    raise ConfigError(
        f"{setting} = {name!r} names no class of torch.nn or torch.optim; say for example 'Tanh'."
    )
