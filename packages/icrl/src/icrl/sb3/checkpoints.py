"""Checkpoints of Stable-Baselines3 models in training; nothing is pickled."""

from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.save_util import recursive_getattr
from torch import Tensor

from icrl.checkpoints import load_optimizer, optimizer_tensors, under
from icrl.sb3.normalisation import observation_statistics
from icrl.sb3.weights import load_module, module_tensors

COUNTERS = ("_n_updates", "_episode_num", "_n_calls")
"""What SB3 counts beside steps: updates (TD3's delayed ones too), episodes, steps of each row (for
the target network of a DQN).
"""
MOMENTS = ("mean", "var", "count")


def model_tensors(model: BaseAlgorithm) -> dict[str, Tensor]:
    """All that going on with a model needs, except for counters: its networks, optimisers, entropy
    coefficient and the statistics of `VecNormalize`.
    """
    tensors: dict[str, Tensor] = {}
    for name, part in _parts(model).items():
        found = optimizer_tensors(part) if _is_optimizer(part) else module_tensors(part).items()
        tensors |= {f"{name}/{key}": tensor for key, tensor in found}
    for name in model._get_torch_save_params()[1]:
        tensors[f"variable/{name}"] = recursive_getattr(model, name)
    for name, statistics in _statistics(model).items():
        for moment in MOMENTS:
            value = torch.as_tensor(getattr(statistics, moment), dtype=torch.float64)
            tensors[f"normalization/{name}/{moment}"] = value
    return tensors


def load_model(model: BaseAlgorithm, tensors: Mapping[str, Tensor]) -> None:
    """Give a model what `model_tensors` took from one like it.

    Raises:
        KeyError, RuntimeError, ValueError: if they are another model's.
    """
    for name, part in _parts(model).items():
        load = load_optimizer if _is_optimizer(part) else load_module
        load(part, under(name, tensors))
    for name in model._get_torch_save_params()[1]:
        recursive_getattr(model, name).data.copy_(tensors[f"variable/{name}"])
    for name, statistics in _statistics(model).items():
        mean, var, count = (tensors[f"normalization/{name}/{moment}"] for moment in MOMENTS)
        statistics.mean, statistics.var = mean.numpy(), var.numpy()
        statistics.count = float(count)


def counters(model: BaseAlgorithm) -> dict[str, int]:
    """What a model counts beside steps."""
    return {name: int(getattr(model, name)) for name in COUNTERS if hasattr(model, name)}


def load_counters(model: BaseAlgorithm, counted: Mapping[str, int]) -> None:
    """Let a model go on counting.

    Raises:
        KeyError: if something was not counted.
    """
    for name in counters(model):
        setattr(model, name, int(counted[name]))


def _parts(model: BaseAlgorithm) -> dict[str, Any]:
    """Modules and optimisers by the names under which SB3 saves them."""
    return {name: recursive_getattr(model, name) for name in model._get_torch_save_params()[0]}


def _is_optimizer(part: Any) -> bool:
    return isinstance(part, torch.optim.Optimizer)


def _statistics(model: BaseAlgorithm) -> dict[str, RunningMeanStd]:
    env = model.get_vec_normalize_env()
    if env is None:
        return {}
    observed = observation_statistics(env)
    return {f"observation/{key}": known for key, known in observed.items()} | {
        "reward": env.ret_rms
    }
