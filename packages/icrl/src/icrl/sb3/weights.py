"""Weights of Stable-Baselines3's modules as tensors of which each stands in a file once.

SB3 gives the tensors of a shared feature extractor three names; safetensors refuses the second.
"""

from collections.abc import Mapping

from torch import Tensor, nn


def module_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The weights of a module, each under the first of its names."""
    state = module.state_dict()
    return {name: state[name] for name in _first_names(state).values()}


def load_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a module the weights that `module_tensors` took from one like it.

    Raises:
        ValueError: if there are too many, or too few.
        RuntimeError: if their shapes differ.
    """
    first = _first_names(module.state_dict())
    differing = sorted(set(first.values()) ^ set(tensors))
    if differing:
        raise ValueError(f"weights of another network: {', '.join(differing)}")
    module.load_state_dict({name: tensors[known] for name, known in first.items()})


def _first_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """For each name of a tensor the first that the same tensor has."""
    first: dict[object, str] = {}
    return {
        name: first.setdefault(
            (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name, name
        )
        for name, tensor in state.items()
    }
