"""A causal transformer whose cached step equals its full pass, however long the trial.

Positions are ALiBi (Press et al. 2022, arXiv:2108.12409): a penalty on the distance between query and key, added
to the attention scores. Keys in a cache then carry no position, a ring buffer slides for free, and a trial may be
of any length. Rotary positions slide as well, but learned to act in context more slowly on Dark Room (a return of
12.8 against 14.7 after 1000 updates each).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, pad, scaled_dot_product_attention

from icrl.nn.dropout import dropout, dropped, quantised


@dataclass
class KeyValueCache:
    """What acting carries through a trial; `step` writes into it."""

    keys: Tensor
    """[layers, envs, heads, window, size of a head]: a ring, written at `steps` modulo the window."""
    values: Tensor
    """Likewise."""
    inputs: Tensor
    """[envs, convolution - 1, width]: the last inputs, oldest first, for the convolution."""
    steps: int
    """How many steps were taken: the same in every environment, so that the host knows it without asking."""


class CausalBackbone(nn.Module):
    """A pre-norm transformer over steps, with attention banded to a window at every layer.

    A step attends to itself and the `window - 1` steps before it, in each layer: through several layers it sees
    further back, about `layers x window` steps. The full pass over a long trial and the cached step compute just
    that, and so agree. (Recomputing only the last window, as many implementations do, cuts off what deeper layers
    know of earlier steps, and gives other outputs once the trial is longer than the window;
    `tests/test_nn_backbone.py` measures by how much.)
    """

    slopes: Tensor

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
            convolution: how many steps a depthwise causal convolution before the first block spans; 0 for none. It
                hands each step what the steps just before it were, which attention would need a layer to learn.
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
        slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
        self.register_buffer("slopes", slopes, persistent=False)

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
        within = min(x.shape[1], self.window)
        biases = [self._bias(within, 0, x)]
        if x.shape[1] > self.window:
            biases.append(self._bias(self.window, self.window, x))
        for block in self.blocks:
            x = block(x, biases, generator)
        return self.norm(x)

    def initial_cache(self, num_envs: int) -> KeyValueCache:
        """The cache at the start of a trial."""
        weight = self.norm.weight
        heads = len(self.slopes)
        ring = (len(self.blocks), num_envs, heads, self.window, len(weight) // heads)
        past = max(0, self.convolution.span - 1) if self.convolution is not None else 0
        return KeyValueCache(
            keys=weight.new_zeros(ring),
            values=weight.new_zeros(ring),
            inputs=weight.new_zeros(num_envs, past, len(weight)),
            steps=0,
        )

    def step(
        self, x: Float[Tensor, "envs width"], cache: KeyValueCache
    ) -> tuple[Float[Tensor, "envs width"], KeyValueCache]:
        """One step of the full pass, from the cache alone; the cache given is written to and handed back."""
        if self.convolution is not None:
            inputs = torch.cat([cache.inputs, x.unsqueeze(1)], 1)
            x = x + self.convolution.last(inputs)
            cache.inputs = inputs[:, 1:]
        slot = cache.steps % self.window
        held = min(cache.steps + 1, self.window)
        slots = torch.arange(held, device=x.device)
        distance = (slot - slots) % self.window
        bias = (-self.slopes[:, None, None] * distance).to(x.dtype)  # [heads, 1, held]
        for layer, block in enumerate(self.blocks):
            x = block.step(x, cache.keys[layer], cache.values[layer], slot, held, bias)
        cache.steps += 1
        return self.norm(x), cache

    def _bias(
        self, queries: int, before: int, like: Tensor
    ) -> Float[Tensor, "1 heads queries keys"]:
        """What is added to attention scores, for keys that begin `before` steps before the queries."""
        query = torch.arange(before, before + queries, device=like.device)
        key = torch.arange(before + queries, device=like.device)
        distance = query[:, None] - key
        seen = (distance >= 0) & (distance < self.window)
        penalty = -self.slopes[:, None, None] * distance
        bias = torch.where(seen, penalty, torch.full_like(penalty, -math.inf))
        return bias.unsqueeze(0)


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

    def last(self, inputs: Float[Tensor, "envs span width"]) -> Float[Tensor, "envs width"]:
        """The output at the last of `span` steps."""
        return (inputs * self.weight).sum(1) + self.bias


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
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        for last in (self.out, self.down):
            nn.init.normal_(last.weight, std=0.06 / math.sqrt(2 * depth))
            nn.init.zeros_(last.bias)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        biases: list[Tensor],
        generator: torch.Generator | None,
    ) -> Float[Tensor, "batch time width"]:
        batch, time, width = x.shape
        projected = self.project(self.attention_norm(x))
        query, key, value = projected.view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = self._banded(query, key, value, biases, generator)
        attended = self.out(attended.transpose(1, 2).reshape(batch, time, width))
        x = x + dropout(attended, self.residual_dropout, generator)
        return x + dropout(self._feed_forward(x), self.residual_dropout, generator)

    def step(
        self,
        x: Float[Tensor, "envs width"],
        keys: Float[Tensor, "envs heads window size"],
        values: Float[Tensor, "envs heads window size"],
        slot: int,
        held: int,
        bias: Float[Tensor, "heads 1 held"],
    ) -> Float[Tensor, "envs width"]:
        envs, width = x.shape
        projected = self.project(self.attention_norm(x)).view(envs, 3, self.heads, 1, -1)
        query, key, value = projected.unbind(1)
        keys[:, :, slot : slot + 1] = key
        values[:, :, slot : slot + 1] = value
        attended = scaled_dot_product_attention(
            query, keys[:, :, :held], values[:, :, :held], attn_mask=bias
        )
        x = x + self.out(attended.reshape(envs, width))
        return x + self._feed_forward(x)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.down(gelu(self.up(self.feed_forward_norm(x))))

    def _banded(
        self,
        query: Float[Tensor, "batch heads time size"],
        key: Float[Tensor, "batch heads time size"],
        value: Float[Tensor, "batch heads time size"],
        biases: list[Tensor],
        generator: torch.Generator | None,
    ) -> Float[Tensor, "batch heads time size"]:
        """Attention to the window's steps: the first window plainly, each later one to itself and the one before."""
        if len(biases) == 1:
            return self._attend(query, key, value, biases[0], generator)
        batch, heads, time, size = query.shape
        window = biases[0].shape[-1]
        padding = (0, 0, 0, -time % window)
        first = self._attend(*(t[:, :, :window] for t in (query, key, value)), biases[0], generator)
        query, key, value = (
            pad(t, padding).unflatten(2, (-1, window)).transpose(1, 2) for t in (query, key, value)
        )  # [batch, blocks, heads, window, size]
        key, value = (torch.cat([t[:, :-1], t[:, 1:]], 3).flatten(0, 1) for t in (key, value))
        rest = self._attend(query[:, 1:].flatten(0, 1), key, value, biases[1], generator)
        rest = rest.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2, 3)
        return torch.cat([first, rest], 2)[:, :, :time]

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Float[Tensor, "1 heads queries keys"],
        generator: torch.Generator | None,
    ) -> Tensor:
        bias = bias.to(query.dtype)
        if generator is None or quantised(self.attention_dropout) == 0:
            return scaled_dot_product_attention(query, key, value, attn_mask=bias)
        weights = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + bias, -1)
        mask = dropped(weights.shape, self.attention_dropout, generator, query.device)
        kept = weights.masked_fill(mask, 0)
        return kept @ (value * (1 / (1 - quantised(self.attention_dropout))))
