"""Causal attention, banded to a window, with dropout that a CPU can afford."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from icrl.nn.dropout import dropped, quantised

SCORES_IN_CACHE = 300_000
"""On a CPU, so many attention scores are held at once: they stay in its cache, whatever the
batch.
"""


def banded_attention(
    query: Float[Tensor, "batch heads time size"],
    key: Float[Tensor, "batch heads time size"],
    value: Float[Tensor, "batch heads time size"],
    window: int,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch heads time size"]:
    """Each step attends to itself and the `window - 1` steps before it; queries come scaled.

    Up to `window` steps this is plain causal attention. Beyond, each block of `window` steps
    attends to itself and the block before it, so that the cost grows linearly with time.
    """
    time = query.shape[2]
    if time <= window:
        return _attention(query, key, value, None, dropout, generator)
    batch = len(query)
    outputs = [
        _attention(
            query[:, :, :window],
            key[:, :, :window],
            value[:, :, :window],
            None,
            dropout,
            generator,
        )
    ]
    query, key, value = (
        pad(tensor, (0, 0, 0, -time % window)).unflatten(2, (-1, window)).transpose(1, 2)
        for tensor in (query, key, value)
    )  # [batch, blocks, heads, window, size]
    key, value = (torch.cat([t[:, :-1], t[:, 1:]], 3).flatten(0, 1) for t in (key, value))
    band = _band(window, 2 * window, window, query.device)
    rest = _attention(query[:, 1:].flatten(0, 1), key, value, band, dropout, generator)
    outputs.append(rest.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2, 3))
    return torch.cat(outputs, 2)[:, :, :time]


def _band(queries: int, keys: int, window: int, device: torch.device) -> Tensor:
    """What to add to scores [queries, keys] of the last `queries` of `keys` steps: 0 in the band,
    else -inf.
    """
    query = torch.arange(keys - queries, keys, device=device)
    distance = query[:, None] - torch.arange(keys, device=device)
    outside = (distance < 0) | (distance >= window)
    return torch.zeros(queries, keys, device=device).masked_fill(outside, -math.inf)


def _attention(
    query: Float[Tensor, "batch heads queries size"],
    key: Float[Tensor, "batch heads keys size"],
    value: Float[Tensor, "batch heads keys size"],
    band: Float[Tensor, "queries keys"] | None,
    dropout: float,
    generator: torch.Generator | None,
) -> Float[Tensor, "batch heads queries size"]:
    if generator is None or quantised(dropout) == 0:
        mask = None if band is None else band.to(query.dtype)
        return scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=band is None, scale=1.0
        )
    if band is None:
        band = _band(query.shape[2], key.shape[2], key.shape[2], query.device)
    batch, heads = query.shape[:2]
    drop = dropped((batch * heads, query.shape[2], key.shape[2]), dropout, generator, query.device)
    flat = (tensor.float().flatten(0, 1) for tensor in (query, key, value))
    output = _DroppedAttention.apply(*flat, band, drop, 1 / (1 - quantised(dropout)))
    return output.unflatten(0, (batch, heads)).to(value.dtype)


class _DroppedAttention(torch.autograd.Function):
    """Attention with dropout of its weights, a few rows of the batch at a time.

    Whole weights would be written and read a dozen times; so few stay in the processor's cache, and
    are computed again in the backward pass rather than kept (as in FlashAttention, Dao et al. 2022,
    arXiv:2205.14135). torch's own attention falls back to whole weights as soon as there is dropout
    on a CPU, and draws them slowly.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, band: Tensor, drop: Tensor, gain: float
    ) -> Tensor:
        output = torch.empty_like(query)
        weights, kept = (_scratch(query, band) for _ in range(2))
        for rows in _chunks(query, band):
            p = _weights(query[rows], key[rows], band, out=weights)
            m = torch.logical_not(drop[rows], out=kept[: len(p)])
            torch.bmm(p.mul_(m), value[rows], out=output[rows])
        output *= gain
        ctx.save_for_backward(query, key, value, band, drop, output)
        ctx.gain = gain
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, band, drop, output = ctx.saved_tensors
        gradient = gradient * ctx.gain
        shift = (gradient * output).sum(-1, keepdim=True) / ctx.gain
        to_query, to_key, to_value = (torch.empty_like(t) for t in (query, key, value))
        weights, kept, to_weights = (_scratch(query, band) for _ in range(3))
        for rows in _chunks(query, band):
            p = _weights(query[rows], key[rows], band, out=weights)
            m = torch.logical_not(drop[rows], out=kept[: len(p)])
            to_p = torch.bmm(gradient[rows], value[rows].transpose(1, 2), out=to_weights[: len(p)])
            to_scores = to_p.mul_(m).sub_(shift[rows]).mul_(p)
            torch.bmm(m.mul_(p).transpose(1, 2), gradient[rows], out=to_value[rows])
            torch.bmm(to_scores, key[rows], out=to_query[rows])
            torch.bmm(to_scores.transpose(1, 2), query[rows], out=to_key[rows])
        return to_query, to_key, to_value, None, None, None


def _weights(query: Tensor, key: Tensor, band: Tensor, *, out: Tensor) -> Tensor:
    """The attention weights [rows, queries, keys], written into the first rows of `out`."""
    out = out[: len(query)]
    torch.bmm(query, key.transpose(1, 2), out=out)
    return torch.softmax(out.add_(band), -1, out=out)


def _scratch(query: Tensor, band: Tensor) -> Tensor:
    return query.new_empty(_rows_at_once(query, band), *band.shape)


def _chunks(query: Tensor, band: Tensor) -> list[slice]:
    step = _rows_at_once(query, band)
    return [slice(start, start + step) for start in range(0, len(query), step)]


def _rows_at_once(query: Tensor, band: Tensor) -> int:
    if query.device.type != "cpu":
        return len(query)
    return max(1, min(len(query), SCORES_IN_CACHE // band.numel()))
