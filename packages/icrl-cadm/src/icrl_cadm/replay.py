"""Replay: a function of tensors recorded as one CUDA graph, so that it is launched at once.

A plan is thousands of small kernels; launching them takes longer than running them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Drawing = Callable[[tuple[Tensor, ...], torch.Generator], tuple[Tensor, ...]]
"""What is replayed: tensors and a generator of their device to tensors; it reads nothing back."""

WARM_UP = 3
"""Calls before recording, in which libraries choose their kernels and what is fused is compiled."""


class Replay:
    """Calls a function by replaying what it once launched.

    It is recorded anew where shapes or the generator change; the function is always the same. The
    generator moves on at each call, though not by the same draws as the function's own.
    """

    def __init__(self) -> None:
        self._of: tuple[object, ...] | None = None

    def __call__(
        self, function: Drawing, tensors: tuple[Tensor, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """What the function returns, in tensors of the caller's own."""
        of = (generator, *(tensor.shape for tensor in tensors))
        if self._of != of:
            self._record(function, tensors, generator)
            self._of = of
        for kept, given in zip(self._inputs, tensors, strict=True):
            kept.copy_(given)
        self._graph.replay()
        return tuple(output.clone() for output in self._outputs)

    def _record(
        self, function: Drawing, tensors: tuple[Tensor, ...], generator: torch.Generator
    ) -> None:
        self._inputs = tuple(tensor.clone() for tensor in tensors)
        before = generator.get_state()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                function(self._inputs, generator)
        torch.cuda.current_stream().wait_stream(aside)
        generator.set_state(before)
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(generator)
        with torch.cuda.graph(self._graph):
            self._outputs = function(self._inputs, generator)
