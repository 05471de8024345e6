"""Devices by the names that a user gives them."""

import torch

from icrl.errors import DeviceError


def find_device(name: str) -> torch.device:
    """The device called `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:N`.

    A GPU comes with its index, as the tensors on it name it.

    Raises:
        DeviceError: if it has no such name, or is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (":" in name and not (kind == "cuda" and index.isdecimal())):
        raise DeviceError(f"{name!r} is not a device. Give auto, cpu, cuda, or cuda:N.")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise DeviceError(
                f"there is no {name} here: {_why_no_cuda()}. Give --device cpu or --device auto."
            )
        if index and int(index) >= torch.cuda.device_count():
            last = torch.cuda.device_count() - 1
            raise DeviceError(f"there is no {name} here: the last one is cuda:{last}.")
        return torch.device("cuda", int(index) if index else torch.cuda.current_device())
    return torch.device(name)


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "this build of torch has no CUDA"
    return "torch finds no CUDA GPU"
