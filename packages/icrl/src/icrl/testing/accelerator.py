"""A pretended accelerator: finds what would stop or break a GPU, on a machine without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

ACCELERATOR = torch.device("meta")
"""The device that stands for an accelerator. (PyTorch's CPU build cannot index tensors of a device
"cuda".)
"""


class ReadBackError(RuntimeError):
    """A tensor was copied from the accelerator to the host."""


@contextmanager
def pretended_accelerator() -> Iterator[torch.device]:
    """A context in which tensors on the yielded device have shapes and dtypes but no values.

    What would stop an accelerator's stream or fail on it fails here: an operation on tensors of two
    devices, `.item()`, a host branch on a tensor, boolean indexing, a copy to the host. Make what
    is to be tested on `ACCELERATOR` before entering, and its inputs inside. Random draws take a
    generator of the CPU, which stands for the accelerator's own.
    """
    with FakeTensorMode(allow_non_fake_inputs=True), _NoReadBack():
        yield ACCELERATOR


class _NoReadBack(TorchDispatchMode):
    """Refuses copies from the accelerator to the host."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        source = destination = None
        if func is torch.ops.aten._to_copy.default:
            source, destination = args[0].device, kwargs.get("device")
        elif func is torch.ops.aten.copy_.default:
            source, destination = args[1].device, args[0].device
        if source == ACCELERATOR and destination is not None and destination.type == "cpu":
            raise ReadBackError("a tensor was copied from the accelerator to the host.")
        return func(*args, **kwargs)
