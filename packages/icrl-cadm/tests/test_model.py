"""The model: its parts by hand, and what the original does in them."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.nn import initial_weights
from icrl_cadm.config import CaDMConfig
from icrl_cadm.encoders import ROWS_AT_ONCE, Encoded, Perceptron, Stacked, small_weights
from icrl_cadm.history import History
from icrl_cadm.model import DynamicsModel, Rows
from icrl_cadm.normalisation import Normaliser
from icrl_cadm.states import States

MEMBERS, ROWS, PAST, STATE, CONTROL = 3, 5, 7, 2, 1


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def new_model(*, learns_rewards=False, **settings):
    config = CaDMConfig(
        **{
            "past": PAST,
            "future": 1,
            "members": MEMBERS,
            "particles": MEMBERS,
            "hidden": (11, 13),
            "encoder": (17,),
            "context_size": 4,
        }
        | settings
    )
    space = spaces.Box(-np.inf, np.inf, (STATE,), np.float32)
    with initial_weights(torch.Generator().manual_seed(0)):
        return DynamicsModel(config, States(space, "cpu"), CONTROL, learns_rewards=learns_rewards)


def new_history(*rows, seed=1):
    filled = torch.full(rows, PAST)
    sizes = [(*rows, PAST, size) for size in (STATE, CONTROL, STATE)]
    states, controls, following = (noise(*size, seed=seed + i) for i, size in enumerate(sizes))
    return History(states, controls, following, filled)


def new_rows(*, seed=5):
    shape = (MEMBERS, ROWS)
    return Rows(
        new_history(*shape),
        noise(*shape, STATE, seed=seed),
        noise(*shape, CONTROL, seed=seed + 1),
        noise(*shape, STATE, seed=seed + 2),
        noise(*shape, seed=seed + 3),
        noise(*shape, seed=seed + 4) > 0,
    )


# Contexts.


@pytest.mark.parametrize(
    ("kind", "width"), [("none", 0), ("stacked", PAST * (STATE + CONTROL)), ("encoded", 4)]
)
def test_a_context_is_as_wide_as_its_encoder_makes_it(kind, width):
    model = new_model(context=kind)
    assert model.width == width
    assert model.context(new_history(ROWS)).shape == (MEMBERS, ROWS, width)


def test_every_member_has_an_encoder_of_its_own():
    contexts = new_model().context(new_history(ROWS))
    assert not torch.allclose(contexts[0], contexts[1])


def test_members_see_shared_rows_as_each_would_its_own():
    model, history = new_model(), new_history(ROWS)
    own = History(*(x.expand(MEMBERS, *x.shape) for x in vars(history).values()))
    torch.testing.assert_close(model.context(own), model.context(history))


def test_a_stacked_context_is_the_raw_differences_beside_the_controls():
    model, history = new_model(context="stacked", members=1, particles=1), new_history(ROWS)
    expected = torch.cat((history.following - history.state, history.control), -1).flatten(1)
    torch.testing.assert_close(model.context(history)[0], expected)


def test_differences_in_the_history_go_into_the_encoder_as_they_are():
    """The original gives them mean 0 and deviation 1, whatever they are."""
    model = new_model(context="stacked", members=1, particles=1)
    for normaliser in (model.inputs, model.targets, model.controls):
        normaliser.measure(100 + 10 * noise(9, normaliser.mean.numel()))
    history = new_history(ROWS)
    found = model.context(history)[0].unflatten(1, (PAST, STATE + CONTROL))
    torch.testing.assert_close(found[..., :STATE], history.differences)


def test_controls_in_the_history_have_statistics_of_their_own():
    model = new_model(context="stacked", members=1, particles=1)
    model.past_controls.measure(torch.tensor([[1.0], [3.0]]))
    history = new_history(ROWS)
    found = model.context(history)[0].unflatten(1, (PAST, STATE + CONTROL))
    torch.testing.assert_close(found[..., STATE:], history.control - 2)


# Predictions.


def test_a_member_predicts_by_its_own_weights_alone():
    model = new_model()
    state, control = noise(MEMBERS, ROWS, STATE), noise(MEMBERS, ROWS, CONTROL)
    context = noise(MEMBERS, ROWS, model.width)
    before = model.predict(state, control, context)
    with torch.no_grad():
        model.networks.forwards.layers[0].weight[1] += 1
    after = model.predict(state, control, context)
    changed = (before != after).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


def test_targets_are_normalised_differences():
    model = new_model(members=1, particles=1)
    model.targets.measure(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    with torch.no_grad():
        for parameter in model.networks.forwards.parameters():
            parameter.zero_()
        model.networks.forwards.layers[-1].bias[0, 0] = torch.tensor([1.0, -1.0])
    state = noise(1, ROWS, STATE)
    found = model.predict(state, noise(1, ROWS, CONTROL), noise(1, ROWS, model.width))
    torch.testing.assert_close(found - state, torch.tensor([3.0, 10.0]).expand(1, ROWS, 2))


def test_a_deterministic_model_ignores_noise():
    model = new_model()
    sizes = (STATE, CONTROL, model.width)
    known = [noise(MEMBERS, ROWS, size, seed=size) for size in sizes]
    drawn = model.predict(*known, noise(MEMBERS, ROWS, STATE, seed=9))
    assert torch.equal(drawn, model.predict(*known))


def test_noise_moves_a_probabilistic_model_by_the_deviation_that_it_predicts():
    model = new_model(probabilistic=True, members=1, particles=1)
    rows = 20_000
    state, control, context = (torch.zeros(1, rows, size) for size in (STATE, CONTROL, model.width))
    mean, log_variance = model.target(state, control, context)
    drawn = model.predict(state, control, context, noise(1, rows, STATE))
    torch.testing.assert_close(drawn.mean(1), mean.mean(1), atol=0.05, rtol=0)
    expected = (0.5 * log_variance).exp().mean(1)
    torch.testing.assert_close(drawn.std(1), expected, atol=0.05, rtol=0)


def test_log_variances_lie_within_their_learned_bounds():
    model = new_model(probabilistic=True)
    far = 1e4 * noise(MEMBERS, 97, STATE)
    _, found = model.target(far, noise(MEMBERS, 97, CONTROL), noise(MEMBERS, 97, model.width))
    assert found.min() >= -10
    # The original's own softening leaves the upper bound by a hair.
    assert found.max() <= 0.5 + 1e-3


# Losses.


def test_the_loss_is_forward_plus_half_of_backward_of_every_member():
    model = new_model()
    loss, parts = model.loss(new_rows())
    assert parts.keys() == {"forward", "backward"}
    assert parts["forward"].shape == (MEMBERS,)
    torch.testing.assert_close(loss, parts["forward"].sum() + 0.5 * parts["backward"].sum())


def test_the_loss_of_a_learned_outcome_is_added_whole():
    model = new_model(learns_rewards=True, backward=0.3)
    loss, parts = model.loss(new_rows())
    forward, backward, outcome = (parts[name] for name in ("forward", "backward", "outcome"))
    assert parts.keys() == {"forward", "backward", "outcome"}
    torch.testing.assert_close(loss, (forward + 0.3 * backward + outcome).sum())


def test_deterministic_losses_are_squared_errors_of_normalised_differences():
    """Of networks that give out zeros."""
    model, rows = new_model(), new_rows()
    model.targets.measure(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    model.backward_targets.measure(torch.tensor([[4.0, 5.0], [8.0, 15.0]]))
    with torch.no_grad():
        for name in ("forwards", "backwards"):
            for parameter in model.networks.get_submodule(name).parameters():
                parameter.zero_()
    _, parts = model.loss(rows)
    change = rows.following - rows.state
    there = (change - torch.tensor([2.0, 20.0])) / torch.tensor([1.0, 10.0])
    back = (-change - torch.tensor([6.0, 10.0])) / torch.tensor([2.0, 5.0])
    torch.testing.assert_close(parts["forward"], there.square().mean((1, 2)))
    torch.testing.assert_close(parts["backward"], back.square().mean((1, 2)))


def test_a_probabilistic_forward_loss_is_the_gaussian_likelihoods():
    """Beside which the bounds of the log-variance cost 0.01 of their distance, as the original's
    (Chua et al. 2018).
    """
    model, rows = new_model(probabilistic=True), new_rows()
    loss, parts = model.loss(rows)
    mean, log_variance = model.target(rows.state, rows.control, model.context(rows.history))
    density = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    negative = -2 * density.log_prob(rows.following - rows.state) - math.log(2 * math.pi)
    torch.testing.assert_close(parts["forward"], negative.mean((1, 2)))
    bounds = 0.01 * (model.greatest - model.least).sum()
    torch.testing.assert_close(
        loss, parts["forward"].sum() + 0.5 * parts["backward"].sum() + bounds
    )


def test_the_backward_model_of_a_probabilistic_one_is_deterministic():
    model = new_model(probabilistic=True)
    assert model.networks.backwards.layers[-1].weight.shape[-1] == STATE
    assert model.networks.forwards.layers[-1].weight.shape[-1] == 2 * STATE


def test_the_backward_model_predicts_what_was_before():
    model, rows = new_model(), new_rows()
    with torch.no_grad():
        for parameter in model.networks.backwards.parameters():
            parameter.zero_()
    _, parts = model.loss(rows)
    expected = (rows.state - rows.following).square().mean((1, 2))
    torch.testing.assert_close(parts["backward"], expected)


@pytest.mark.parametrize("kind", ["none", "stacked"])
def test_without_an_encoder_there_is_no_backward_model(kind):
    assert new_model(context=kind).loss(new_rows())[1].keys() == {"forward"}


def test_both_models_train_the_encoder():
    for part in ("forward", "backward"):
        model = new_model()
        model.networks.get_submodule(f"{part}s").requires_grad_(False)
        for parameter in model.networks.get_submodule(f"{part}s").parameters():
            parameter.zero_()
        model.loss(new_rows())[0].backward()
        gradients = [p.grad.abs().sum() for p in model.networks.encoder.parameters()]
        assert all(gradients)


def test_rewards_are_learned_in_their_own_units():
    model, rows = new_model(learns_rewards=True), new_rows()
    model.rewards.measure(torch.tensor([[90.0], [110.0]]))
    reward, logit = model.outcome(
        rows.state, rows.control, rows.following, model.context(rows.history)
    )
    assert reward.shape == logit.shape == (MEMBERS, ROWS)
    assert (reward > 50).all()


def test_an_outcomes_loss_is_the_normalised_rewards_error_beside_the_ends_surprise():
    """Of a network that always gives out 0.5, which is a reward of 105, and a logit of -2."""
    model, rows = new_model(learns_rewards=True), new_rows()
    model.rewards.measure(torch.tensor([[90.0], [110.0]]))
    with torch.no_grad():
        for parameter in model.networks.outcomes.parameters():
            parameter.zero_()
        model.networks.outcomes.layers[-1].bias[:] = torch.tensor([0.5, -2.0])
    _, parts = model.loss(rows)
    missed = ((105 - rows.reward) / 10).square()
    probability = 1 / (1 + math.exp(2))
    surprise = torch.where(rows.terminated, -math.log(probability), -math.log(1 - probability))
    torch.testing.assert_close(parts["outcome"], (missed + surprise).mean(1))


# Statistics and weights.


def test_constant_numbers_are_only_shifted():
    normaliser = Normaliser(2)
    normaliser.measure(torch.tensor([[5.0, 1.0], [5.0, 3.0]]))
    assert normaliser(torch.tensor([[5.0, 3.0], [6.0, 1.0]])).tolist() == [[0, 1], [1, -1]]


def test_what_was_normalised_comes_back():
    normaliser = Normaliser(3)
    normaliser.measure(noise(50, 3) * 7 + 2)
    x = noise(5, 3)
    torch.testing.assert_close(normaliser.inverse(normaliser(x)), x)


@pytest.mark.parametrize("rows", [0, 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 7])
def test_rows_go_through_a_perceptron_alike_however_many_there_are(rows):
    network = Perceptron(2, 5, (13, 11), 3, torch.nn.functional.silu)
    x = torch.randn(2, rows, 5)
    with torch.no_grad():
        found = network(x)
    torch.testing.assert_close(found, network(x).detach())


def test_weights_begin_within_two_deviations_of_zero():
    weight = small_weights(torch.empty(400, 25))
    assert weight.abs().max() <= 2 * 0.1
    # A normal cut at two deviations has 0.88 of its deviation.
    assert weight.std().item() == pytest.approx(0.088, abs=0.002)


@pytest.mark.parametrize("kind", ["encoded", "recurrent"])
def test_biases_begin_at_zero(kind):
    """As the original's."""
    model = new_model(context=kind, learns_rewards=True)
    biases = {name: p for name, p in model.named_parameters() if name.endswith("bias")}
    assert {name.split(".")[1] for name in biases} == set(dict(model.networks.named_children()))
    assert not any(bias.any() for bias in biases.values())


def test_encoders_say_how_wide_they_are():
    assert Stacked(7, 2, 1).size == 21
    encoded = Encoded(3, 7, 2, 1, (11,), 5)
    slots = noise(3, 4, 7, 2), noise(3, 4, 7, 1), torch.full((3, 4), 7)
    assert encoded(*slots).shape == (3, 4, encoded.size)
