"""A causal transformer whose cached step equals its full pass, however long the trial.

Positions are rotary (Su et al. 2021, arXiv:2104.09864): queries and keys are turned by angles that
grow with time, so that their product depends on their distance alone. A cached key keeps its turn,
a ring buffer slides for free, and attention needs no mask that the fast kernels do not have (ALiBi,
which slides as well, needs one).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from icrl.nn.attention import banded_attention
from icrl.nn.dropout import dropout

ROTARY_BASE = 1000.0
"""A step turns the fastest pair by 1 radian, the slowest by little more than 1/1000."""


class StepParameters(NamedTuple):
    """A block's parameters as `Block.step` takes them: views, made once a trial.

    With few environments a step costs what its calls cost, and looking up modules and transposing
    weights would be a third of them.
    """

    attention_norm: tuple[list[int], Tensor, Tensor]
    project: Float[Tensor, "3 width width"]
    out: Float[Tensor, "width width"]
    feed_forward_norm: tuple[list[int], Tensor, Tensor]
    up: Float[Tensor, "width feed_forward"]
    down: Float[Tensor, "feed_forward width"]


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
    layers: list[tuple[StepParameters, Tensor, Tensor]]
    """For each layer its parameters, and views of the ring: its keys [envs x heads, size, window]
    and values [envs x heads, window, size]."""


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
        heads = len(weight) // size
        ring = weight.new_zeros(len(self.blocks), 2, num_envs, heads, self.window, size)
        span = self.convolution.span if self.convolution is not None else 0
        blocks = cast("Iterable[Block]", self.blocks)
        layers = [
            (block.step_parameters(), keys.transpose(1, 2), values)
            for block, (keys, values) in zip(blocks, ring.flatten(2, 3), strict=True)
        ]
        inputs = weight.new_zeros(num_envs, span, len(weight))
        return KeyValueCache(ring, inputs, 0, layers)

    def step(
        self, x: Float[Tensor, "envs width"], cache: KeyValueCache
    ) -> tuple[Float[Tensor, "envs width"], KeyValueCache]:
        """One step of the full pass, from the cache alone; the cache given is written to and handed
        back.
        """
        steps = cache.steps
        if self.convolution is not None:
            x = x + self.convolution.step(x, cache.inputs, steps)
        turns = self._turns(steps).unsqueeze(1)
        places = cache.ring.select(-2, steps % self.window).unbind()
        for (parameters, keys, values), place in zip(cache.layers, places, strict=True):
            if steps < self.window:
                keys, values = keys[:, :, : steps + 1], values[:, : steps + 1]
            x = Block.step(x, parameters, turns, place, keys, values)
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

    def step_parameters(self) -> StepParameters:
        """What `step` takes; to be made anew when the module moves to another device."""
        width = len(self.out.weight)
        return StepParameters(
            attention_norm=_norm_parameters(self.attention_norm),
            project=self.project.weight.view(3, width, width).transpose(1, 2),
            out=self.out.weight.t(),
            feed_forward_norm=_norm_parameters(self.feed_forward_norm),
            up=self.up.weight.t(),
            down=self.down.weight.t(),
        )

    @staticmethod
    def step(
        x: Float[Tensor, "envs width"],
        parameters: StepParameters,
        turns: Complex[Tensor, "3 1 1 pairs"],
        place: Float[Tensor, "2 envs heads size"],
        keys: Float[Tensor, "rows size held"],
        values: Float[Tensor, "rows held size"],
    ) -> Float[Tensor, "envs width"]:
        """One step, which writes its key and value to `place`, a slice of `keys` and `values`.

        The same as `forward`, in as few and as small operations as there can be.
        """
        attention_norm, project, out, feed_forward_norm, up, down = parameters
        _, envs, heads, size = place.shape
        normed = torch.layer_norm(x, *attention_norm)
        projected = torch.bmm(normed.expand(3, *x.shape), project)
        pairs = torch.view_as_complex(projected.view(3, envs, heads, -1, 2))
        turned = torch.view_as_real(pairs * turns).view(3, envs, heads, size)
        place.copy_(turned[1:])
        weights = torch.bmm(turned[0].view(-1, 1, size), keys).softmax(-1)
        x = torch.addmm(x, torch.bmm(weights, values).view(x.shape), out)
        hidden = torch.mm(torch.layer_norm(x, *feed_forward_norm), up)
        return torch.addmm(x, silu(hidden, inplace=True), down)


def _norm_parameters(norm: nn.LayerNorm) -> tuple[list[int], Tensor, Tensor]:
    return [*norm.normalized_shape], norm.weight, norm.bias
