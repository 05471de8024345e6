"""Networks: each member has weights of its own, although all run as one batch."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from icrl.nn import MemberLinear
from icrl_leep.distributions import Gaussians, member_actions
from icrl_leep.impala import FEATURES, ImpalaTrunk
from icrl_leep.inputs import MemberInputs, Numbers, images_first
from icrl_leep.layers import MemberConvolution, MemberPerceptron, orthogonal
from icrl_leep.model import MemberNetworks

MEMBERS, BATCH = 3, 5


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def new_networks(space: spaces.Space, actions: spaces.Space) -> MemberNetworks:
    torch.manual_seed(0)
    described = member_actions(actions, joint_choices=256, link_samples=1)
    return MemberNetworks(MEMBERS, space, described, hidden=(7, 11), channels=(2, 3))


def test_linear_weights_are_orthogonal_for_each_member():
    weight = MemberLinear(MEMBERS, 7, 11, orthogonal(2.0)).weight
    for own in weight:
        torch.testing.assert_close(own @ own.T, 4 * torch.eye(7), rtol=1e-4, atol=1e-4)


def test_a_convolution_is_one_of_each_member():
    layer = MemberConvolution(MEMBERS, 2, 7)
    x = noise(BATCH, MEMBERS, 2, 11, 13)
    found = layer(x.flatten(1, 2)).unflatten(1, (MEMBERS, 7))
    for member in range(MEMBERS):
        own = layer.weight[member], layer.bias[member]
        expected = nn.functional.conv2d(x[:, member], *own, padding=1)
        torch.testing.assert_close(found[:, member], expected, rtol=1e-4, atol=1e-5)


def test_a_trunk_is_one_of_each_member():
    """Alone, a member's weights give the same features of an image as beside the others."""
    trunk, alone = ImpalaTrunk(MEMBERS, (3, 37, 41), (2, 3)), ImpalaTrunk(1, (3, 37, 41), (2, 3))
    image = torch.randint(256, (MEMBERS, BATCH, 3, 37, 41)).to(torch.uint8)
    found = trunk(image)
    assert found.shape == (MEMBERS, BATCH, FEATURES)
    state = trunk.state_dict()
    for member in range(MEMBERS):
        alone.load_state_dict({name: x[member : member + 1] for name, x in state.items()})
        torch.testing.assert_close(found[member], alone(image[member][None])[0])


def test_a_perceptron_has_tanh_between_its_layers():
    net = MemberPerceptron(MEMBERS, 7, (11,), 2, gain=0.01)
    x = noise(MEMBERS, BATCH, 7)
    torch.testing.assert_close(net(x), net.last(net.hidden[0](x).tanh()))
    assert [len(MemberPerceptron(2, 3, hidden, 5, gain=1.0).hidden) for hidden in ((), (7, 7))] == [
        0,
        2,
    ]


SPACES = [
    spaces.Box(-1, 1, (7,)),
    spaces.Discrete(7),
    spaces.Box(0, 255, (3, 37, 41), np.uint8),
    spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.MultiBinary(5)),
]


def rows_of(space: spaces.Space) -> Tensor | dict[str, Tensor]:
    """Random observations [members * batch, ...] as SB3 hands them over."""
    space.seed(0)
    samples = [space.sample() for _ in range(MEMBERS * BATCH)]
    if isinstance(space, spaces.Dict):
        return {k: torch.from_numpy(np.stack([s[k] for s in samples])) for k in space.spaces}
    return torch.from_numpy(np.stack(samples))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_members_give_out_in_their_own_rows_what_they_give_out_in_all(space):
    networks = new_networks(space, spaces.Discrete(2))
    observation = rows_of(space)
    own, values = networks.own(observation, MEMBERS * BATCH)
    every = networks.everyone(observation, MEMBERS * BATCH)
    assert (own.shape, every.shape) == ((MEMBERS, BATCH, 2), (MEMBERS, MEMBERS * BATCH, 2))
    for member in range(MEMBERS):
        expected = every[member, member * BATCH : (member + 1) * BATCH]
        torch.testing.assert_close(own[member], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(networks.own_values(observation, MEMBERS * BATCH), values)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_no_weight_is_shared(space):
    """What member 1 gives out has a gradient in all of its weights, and in nobody else's."""
    networks = new_networks(space, spaces.Box(-1, 1, (2,)))
    outputs, values = networks.own(rows_of(space), MEMBERS * BATCH)
    (outputs[1].exp().sum() + values[1].exp().sum()).backward()
    for name, weight in networks.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad[1].abs().sum() > 0, name
        assert weight.grad[[0, 2]].abs().sum() == 0, name


def test_gaussian_members_have_deviations_of_their_own():
    networks = new_networks(spaces.Discrete(7), spaces.Box(-1, 1, (2,)))
    assert networks.log_std is not None
    with torch.no_grad():
        networks.log_std.copy_(torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1))
    outputs, _ = networks.own(rows_of(spaces.Discrete(7)), MEMBERS * BATCH)
    entropy = Gaussians(2, 1).entropy(outputs)
    torch.testing.assert_close(entropy[1:] - entropy[:-1], torch.full((2, BATCH), 2.0))


# Inputs.


def features(space: spaces.Space, *rows: object) -> Tensor:
    """[rows, features], of which each member sees the same."""
    inputs = MemberInputs(2, space, (3,))
    found = inputs(torch.as_tensor(np.stack(rows)), (len(rows),))
    assert found.shape == (2, len(rows), inputs.num_features)
    assert torch.equal(found[0], found[1])
    return found[0]


def test_codes_are_one_hot():
    assert features(spaces.Discrete(3), 2, 0).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_bounded_numbers_lie_between_minus_one_and_one():
    space = spaces.Box(np.float32([0, -5]), np.float32([4, 5]))
    assert features(space, [0, -5], [1, 5]).tolist() == [[-1, -1], [-0.5, 1]]


def test_bits_are_minus_one_and_one():
    bits = np.array([1, 0], np.int8)
    assert features(spaces.MultiBinary(2), bits).tolist() == [[1, -1]]


def test_numbers_without_bounds_are_standardised_by_what_was_observed():
    space = spaces.Box(np.float32([-np.inf, 0]), np.float32([np.inf, 1]))
    inputs = MemberInputs(2, space, (3,))
    generator = torch.Generator().manual_seed(0)
    seen = torch.stack(
        (1000 + 50 * torch.randn(997, generator=generator), torch.rand(997, generator=generator)), 1
    )
    inputs.observe(seen)
    found = inputs(seen, (997,))[0]
    assert found.mean(0)[0] == pytest.approx(0, abs=0.05)
    assert found.std(0)[0] == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(found[:, 1], 2 * seen[:, 1] - 1)  # it has bounds


def test_images_come_with_their_channels_first():
    last, first = (spaces.Box(0, 255, s, np.uint8) for s in ((64, 41, 3), (3, 64, 41)))
    assert images_first(last) == first
    assert images_first(first) is first
    numbers = spaces.Box(-1, 1, (3,))
    assert images_first(numbers) is numbers
    both = images_first(spaces.Dict(camera=last, speed=numbers))
    assert both == spaces.Dict(camera=first, speed=numbers)


def test_bounds_that_stand_for_infinity_are_none():
    """Older environments write the largest float; on its scale every number would be zero."""
    largest = float(np.finfo(np.float32).max)
    numbers = Numbers(spaces.Box(-largest, largest, (2,), np.float32))
    np.testing.assert_allclose(numbers(torch.tensor([[[3.0, -5.0]]])), [[[3.0, -5.0]]])


def test_many_images_are_seen_as_each_by_itself():
    """37 are more than a CPU's caches hold at once."""
    space = spaces.Box(0, 255, (3, 36, 37), np.uint8)
    actions = member_actions(spaces.Discrete(5), joint_choices=7, link_samples=1)
    networks = MemberNetworks(2, space, actions, hidden=(), channels=(3, 5))
    images = torch.randint(256, (37, 3, 36, 37), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)
    with torch.no_grad():
        together = networks.everyone(images, 37)
        alone = torch.cat([networks.everyone(image[None], 1) for image in images], 1)
    torch.testing.assert_close(together, alone)
