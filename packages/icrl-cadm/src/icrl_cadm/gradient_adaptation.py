"""Gradient adaptation: a model whose weights take a step of gradient descent on what just passed.

GrBAL: Nagabandi et al. 2019, "Learning to Adapt in Dynamic, Real-World Environments through
Meta-Reinforcement Learning", arXiv:1803.11347; its inner loop is that of Finn et al. 2017,
arXiv:1703.03400.
"""

from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor

from icrl.nn import MemberLinear
from icrl_cadm.encoders import Perceptron
from icrl_cadm.history import History

if TYPE_CHECKING:
    from icrl_cadm.model import DynamicsModel, Rows


class LayerStep(NamedTuple):
    """A step of gradient descent of one layer, for each row its own.

    The gradient of the weights is the sum of K outer products, `seen` transposed times `slope`. It
    is never multiplied out: that a row goes through stepped weights is what it gives through the
    shared ones, less (x · seen + 1) @ slope. So a batch in which every row has weights of its own
    costs hardly more than one that shares them, and its gradient by the shared weights (the second
    order of meta-learning) is autograd's own.
    """

    seen: Tensor
    """What the layer got for each past transition, [members, rows, past, inputs]."""
    slope: Tensor
    """The derivative of the loss by what it gave, times the step's size, [members, rows, past,
    outputs]."""


def descent(
    network: Perceptron, x: Tensor, target: Tensor, filled: Tensor, rate: float
) -> list[LayerStep]:
    """The step of each layer down the mean squared error of the past transitions of each row.

    Back-propagation by hand, so that it needs no graph while acting, where weights are frozen.

    Args:
        network: of SiLU layers.
        x: what it gets for past transitions, [members, rows, past, inputs].
        target: what it should give, [members, rows, past, outputs].
        filled: how many of them there are, [members, rows]; without any, nothing moves.
        rate: size of the step.
    """
    layers, seen, given = _layers(network), [], []
    x, target = (tensor.to(layers[0].weight.dtype) for tensor in (x, target))
    for layer in layers:
        seen.append(x)
        given.append(_through(layer, x))
        x = network.activation(given[-1])
    there = torch.arange(target.shape[2], device=filled.device) < filled.unsqueeze(-1)
    share = there / (filled.clamp(min=1).unsqueeze(-1) * target.shape[-1])
    slope = 2 * rate * (given[-1] - target) * share.unsqueeze(-1).to(target.dtype)
    steps = [LayerStep(seen[-1], slope)]
    for place in range(len(layers) - 1, 0, -1):
        back = slope.flatten(1, 2) @ layers[place].weight.transpose(1, 2)
        slope = back.view_as(given[place - 1]) * _silu_slope(given[place - 1])
        steps.append(LayerStep(seen[place - 1], slope))
    return steps[::-1]


def stepped(network: Perceptron, steps: list[LayerStep], x: Tensor) -> Tensor:
    """What the network gives with each row's own step, [members, rows, queries, outputs].

    Args:
        network: as `descent` saw it.
        steps: of its layers.
        x: [members, rows, queries, inputs].
    """
    layers = _layers(network)
    x = x.to(layers[0].weight.dtype)
    for layer, step in zip(layers[:-1], steps[:-1], strict=True):
        x = network.activation(_through_stepped(layer, step, x))
    return _through_stepped(layers[-1], steps[-1], x).float()


def adaptation(model: "DynamicsModel", history: History) -> list[LayerStep]:
    """What histories teach the forward network: of rows [rows] that all members see, or of rows of
    each [members, rows].
    """
    shape = torch.broadcast_shapes(history.filled.shape, (model.members, 1))
    state, control, following = (
        slots.expand(*shape, -1, -1)
        for slots in (history.state, history.control, history.following)
    )
    target = model.targets(model.states.targets(state, following))
    network, rate = model.networks.forwards, model.config.adaptation_rate
    return descent(network, model.known(state, control), target, history.filled.expand(shape), rate)


def adapted_target(model: "DynamicsModel", rows: "Rows") -> Tensor:
    """The normalised targets that a model predicts once it has adapted to the history of each row,
    [members, rows, state numbers].

    Their error is the meta-objective: training makes it small after the step, not before.
    """
    x = model.known(rows.state, rows.control).unsqueeze(2)
    return stepped(model.networks.forwards, adaptation(model, rows.history), x).squeeze(2)


def _through(layer: MemberLinear, x: Tensor) -> Tensor:
    """[members, rows, queries, inputs] -> [members, rows, queries, outputs]."""
    return layer(x.flatten(1, 2)).unflatten(1, x.shape[1:3])


def _through_stepped(layer: MemberLinear, step: LayerStep, x: Tensor) -> Tensor:
    """The same, less what each row's own step takes from it: (x · seen + 1) @ slope, where the one
    is the bias's.
    """
    shared = _through(layer, x)
    seen, slope, each, queries = (t.flatten(0, 1) for t in (*step, shared, x))
    shares = torch.baddbmm(x.new_ones(()), queries, seen.transpose(1, 2))
    return torch.baddbmm(each, shares, slope, alpha=-1).view_as(shared)


def _silu_slope(z: Tensor) -> Tensor:
    """The derivative of z * sigmoid(z)."""
    gate = z.sigmoid()
    return gate * (1 + z * (1 - gate))


def _layers(network: Perceptron) -> list[MemberLinear]:
    return cast(list[MemberLinear], list(network.layers))
