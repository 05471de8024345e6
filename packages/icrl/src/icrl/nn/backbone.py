"""A causal transformer whose cached step equals its full pass, however long the trial.

Positions are rotary (Su et al. 2021, arXiv:2104.09864): queries and keys are turned by angles that
grow with time, so that their product depends on their distance alone. A cached key keeps its turn,
a ring buffer slides for free, and attention needs no mask that the fast kernels do not have (ALiBi,
which slides as well, needs one).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from icrl.nn.attention import banded_attention
from icrl.nn.dropout import dropout

ROTARY_BASE = 1000.0
"""A step turns the fastest pair by 1 radian, the slowest by little more than 1/1000."""


@dataclass
class KeyValueCache:
    """What acting carries through a trial; `step` writes into it."""

    ring: Tensor
    """[layers, 2, envs, heads, window, size]: keys, then values, written at `steps` modulo the
    window."""
    inputs: Tensor
    """[envs, convolution, width]: the last inputs, a ring likewise."""
    steps: int
    """Steps taken: the same in every environment, and so a number that the host knows."""


class CausalBackbone(nn.Module):
    """A pre-norm transformer over steps, with attention banded to a window at every layer.

    A step attends to itself and the `window - 1` steps before it, in each layer: through several
    layers it sees further back, about `layers x window` steps. The full pass over a long trial and
    the cached step compute just that, and so agree. (Recomputing only the last window, as many
    implementations do, cuts off what deeper layers know of earlier steps, and gives other outputs
    once the trial is longer than the window; `tests/test_nn_backbone.py` measures by how much.)
    """

    frequencies: Tensor
    magnitudes: Tensor

    def __init__(
        self,
        width: int,
        *,
        layers: int,
        heads: int,
        feed_forward: int,
        window: int,
        convolution: int = 0,
        residual_dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        """
        Args:
            width: of a token; a multiple of `heads`.
            layers: number of blocks.
            heads: number of attention heads.
            feed_forward: inner width of the feed-forward layers.
            window: how many steps a step attends to, itself included.
            convolution: how many steps a depthwise causal convolution before the first block spans;
                0 for none. It
                hands each step what the steps just before it were, which attention would need a
                layer to learn.
            residual_dropout: of what each block adds.
            attention_dropout: of attention weights, after the softmax.
        """
        super().__init__()
        self.window = window
        self.convolution = DepthwiseConvolution(width, convolution) if convolution else None
        self.blocks = nn.ModuleList(
            Block(width, heads, feed_forward, residual_dropout, attention_dropout, depth=layers)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        size = width // heads
        turning = ROTARY_BASE ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        frequencies = torch.stack([turning, turning, torch.zeros_like(turning)]).unsqueeze(1)
        self.register_buffer("frequencies", frequencies, persistent=False)
        magnitudes = torch.ones_like(frequencies)
        magnitudes[0] = size**-0.5
        self.register_buffer("magnitudes", magnitudes, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch time width"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch time width"]:
        """The full pass, for any length; its cost grows linearly beyond the window.

        Args:
            x: one token a step.
            generator: what dropout draws from; without one, nothing is dropped.
        """
        if self.convolution is not None:
            x = x + self.convolution(x)
        turns = self._turns(torch.arange(x.shape[1], device=x.device).view(-1, 1, 1, 1))
        for block in self.blocks:
            x = block(x, turns, self.window, generator)
        return self.norm(x)

    def initial_cache(self, num_envs: int) -> KeyValueCache:
        """The cache at the start of a trial."""
        weight = self.norm.weight
        size = 2 * self.frequencies.shape[-1]
        ring = (len(self.blocks), 2, num_envs, len(weight) // size, self.window, size)
        span = self.convolution.span if self.convolution is not None else 0
        return KeyValueCache(
            ring=weight.new_zeros(ring),
            inputs=weight.new_zeros(num_envs, span, len(weight)),
            steps=0,
        )

    def step(
        self, x: Float[Tensor, "envs width"], cache: KeyValueCache
    ) -> tuple[Float[Tensor, "envs width"], KeyValueCache]:
        """One step of the full pass, from the cache alone; the cache given is written to and handed
        back.
        """
        if self.convolution is not None:
            x = x + self.convolution.step(x, cache.inputs, cache.steps)
        turns = self._turns(cache.steps).unsqueeze(1)
        written = cache.ring[..., cache.steps % self.window, :]
        held = cache.ring[..., : min(cache.steps + 1, self.window), :].flatten(2, 3)
        blocks = cast("Iterable[Block]", self.blocks)
        for block, place, (keys, values) in zip(blocks, written, held, strict=True):
            x = block.step(x, turns, place, keys, values)
        cache.steps += 1
        return self.norm(x), cache

    def _turns(self, steps: Tensor | int) -> Complex[Tensor, "*time 3 1 pairs"]:
        """By what the pairs of queries, keys and values at these steps are multiplied.

        Queries and keys are turned, queries scaled as attention scales them, values left as they
        are. Angles are computed in float64: in float32 they would be coarse after some ten thousand
        steps.
        """
        return torch.polar(self.magnitudes, self.frequencies * steps).to(torch.complex64)


class DepthwiseConvolution(nn.Module):
    """A causal convolution over time, each channel by itself."""

    def __init__(self, width: int, span: int) -> None:
        super().__init__()
        self.span = span
        self.weight = nn.Parameter(torch.empty(span, width).uniform_(-1, 1) * span**-0.5)
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        time = x.shape[1]
        padded = pad(x, (0, 0, self.span - 1, 0))
        total = self.bias + padded[:, :time] * self.weight[0]
        for shift in range(1, self.span):
            total = torch.addcmul(total, padded[:, shift : shift + time], self.weight[shift])
        return total

    def step(
        self, x: Float[Tensor, "envs width"], ring: Float[Tensor, "envs span width"], steps: int
    ) -> Float[Tensor, "envs width"]:
        """The output at step `steps`, whose input is written to the ring of the last inputs."""
        ring[:, steps % self.span] = x
        return (ring * self.weight.roll(steps + 1, 0)).sum(1) + self.bias


class Block(nn.Module):
    """Attention and a feed-forward layer, each normalised before and added after."""

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        residual_dropout: float,
        attention_dropout: float,
        *,
        depth: int,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.residual_dropout = residual_dropout
        self.attention_dropout = attention_dropout
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, feed_forward, bias=False)
        self.down = nn.Linear(feed_forward, width, bias=False)
        for last in (self.out, self.down):
            nn.init.normal_(last.weight, std=0.06 / math.sqrt(2 * depth))

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        turns: Complex[Tensor, "time 3 1 pairs"],
        window: int,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "batch time width"]:
        projected = self.project(self.attention_norm(x))
        pairs = projected.float().view(*x.shape[:2], 3, self.heads, -1, 2)
        turned = torch.view_as_real(torch.view_as_complex(pairs) * turns).flatten(-2)
        query, key, value = turned.to(projected.dtype).permute(2, 0, 3, 1, 4)
        attended = banded_attention(query, key, value, window, self.attention_dropout, generator)
        attended = self.out(attended.transpose(1, 2).flatten(2))
        x = x + dropout(attended, self.residual_dropout, generator)
        hidden = silu(self.up(self.feed_forward_norm(x)))
        return x + dropout(self.down(hidden), self.residual_dropout, generator)

    def step(
        self,
        x: Float[Tensor, "envs width"],
        turns: Complex[Tensor, "3 1 1 pairs"],
        place: Float[Tensor, "2 envs heads size"],
        keys: Float[Tensor, "rows held size"],
        values: Float[Tensor, "rows held size"],
    ) -> Float[Tensor, "envs width"]:
        """One step, which writes its key and value to `place`, a slice of `keys` and `values`.

        The same as `forward`, in as few and as small operations as there can be: with few
        environments, the calls themselves are what a step costs.
        """
        envs, width = x.shape
        weight = self.project.weight.view(3, width, width).transpose(1, 2)
        projected = torch.bmm(self.attention_norm(x).expand(3, envs, width), weight)
        pairs = torch.view_as_complex(projected.view(3, envs, self.heads, -1, 2))
        turned = torch.view_as_real(pairs * turns)
        place.copy_(turned[1:].view(place.shape))
        query = turned[0].view(len(keys), 1, -1)
        weights = torch.softmax(torch.bmm(query, keys.transpose(1, 2)), -1)
        attended = torch.bmm(weights, values).view(envs, width)
        x = torch.addmm(x, attended, self.out.weight.t())
        hidden = silu(self.up(self.feed_forward_norm(x)))
        return torch.addmm(x, hidden, self.down.weight.t())
