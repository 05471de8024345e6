"""Members' layers: each member's rows go through its own weights."""

import torch
from torch import nn

from icrl.nn import MemberLinear

MEMBERS, BATCH = 3, 5


def test_a_linear_layer_is_one_of_each_member():
    generator = torch.Generator().manual_seed(0)
    layer = MemberLinear(MEMBERS, 7, 11, nn.init.xavier_uniform_)
    with torch.no_grad():
        layer.bias.normal_(generator=generator)
    x = torch.randn(MEMBERS, BATCH, 7, generator=generator)
    for member in range(MEMBERS):
        expected = nn.functional.linear(x[member], layer.weight[member].T, layer.bias[member, 0])
        torch.testing.assert_close(layer(x)[member], expected)


def test_each_members_weights_are_initialised_as_outputs_by_inputs():
    shapes = []

    def initialise(weight):
        shapes.append(tuple(weight.shape))
        weight.fill_(len(shapes))

    with torch.no_grad():
        layer = MemberLinear(MEMBERS, 7, 11, initialise)
    assert shapes == [(11, 7)] * MEMBERS
    assert [own.unique().item() for own in layer.weight] == [1, 2, 3]
