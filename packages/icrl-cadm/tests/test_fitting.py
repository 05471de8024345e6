"""Fitting: who learns from what, how weights decay, and that a system of two parameters is learned.

The system: x' = x + parameter * u, with a parameter of 1 or -1 that an episode keeps.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from icrl.errors import ConfigError
from icrl.nn import initial_weights
from icrl_cadm.config import CaDMConfig
from icrl_cadm.fitting import (
    bootstraps,
    fit,
    layer_decays,
    optimizer_of,
    rows_of,
    validation_pairs,
)
from icrl_cadm.model import DynamicsModel
from icrl_cadm.states import States
from icrl_cadm.transitions import Transitions

SPACE = spaces.Box(-np.inf, np.inf, (2,), np.float32)


def new_model(*, learns_rewards=False, **settings):
    small = {"past": 7, "future": 3, "hidden": (32, 32), "encoder": (32,), "context_size": 4}
    with initial_weights(generator()):
        config = CaDMConfig(**small | settings)
        return DynamicsModel(config, States(SPACE, "cpu"), 1, learns_rewards=learns_rewards)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def episodes(rows, steps=9, seed=0, validation=0.1):
    draws = generator(seed)
    parameter = torch.where(torch.rand(rows, generator=draws) < 0.5, -1.0, 1.0)
    control = torch.rand(steps, rows, 1, generator=draws) * 2 - 1
    change = parameter[:, None] * control
    following = torch.cat((change.cumsum(0), control), -1)
    state = torch.cat((torch.zeros(1, rows, 2), following[:-1]))
    opens = torch.zeros(steps, rows, dtype=torch.bool)
    opens[0] = True
    return Transitions.of(
        state=state,
        control=control,
        following=following,
        reward=following[..., 0],
        terminated=torch.zeros_like(opens),
        opens=opens,
        validation=validation,
        generator=draws,
    )


def fitted(epochs=6, rows=150, **settings) -> tuple[DynamicsModel, dict[str, float]]:
    model = new_model(epochs=epochs, batch_size=32, **settings)
    losses = fit(model, optimizer_of(model), episodes(rows), generator())
    return model, losses


def error(model: DynamicsModel) -> float:
    """On new episodes, after their first transitions, in units of a change's square."""
    unseen = episodes(97, seed=1)
    index = (unseen.age > 3).nonzero().flatten()
    context = model.context(unseen.history(index, model.config.past))
    predicted = model.predict(unseen.state[index][None], unseen.control[index][None], context)
    return (predicted[0, :, 0] - unseen.following[index, 0]).square().mean().item()


def test_a_context_tells_what_a_model_without_one_cannot_know():
    """The change averages 1/3 in square, and is anybody's guess without the parameter."""
    with_context, without = (error(fitted(context=kind)[0]) for kind in ("encoded", "none"))
    assert without > 0.25
    assert with_context < 0.1 * without


def paying(transitions: Transitions) -> Transitions:
    """Each step pays for how far right it led, by 30 a unit around 700; right of 1 is the end."""
    position = transitions.following[:, 0]
    return replace(transitions, reward=700 + 30 * position, terminated=position > 1)


@pytest.fixture(scope="module")
def paid() -> DynamicsModel:
    settings = {"context": "none", "future": 1, "epochs": 20, "batch_size": 64}
    model = new_model(learns_rewards=True, **settings, learning_rate=5e-3)
    fit(model, optimizer_of(model), paying(episodes(150)), generator())
    return model


@torch.no_grad()
def outcomes(model: DynamicsModel, unseen: Transitions) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards and probabilities of an end that a model without a context predicts."""
    rows = unseen.state[None], unseen.control[None], unseen.following[None]
    reward, logit = model.outcome(*rows, torch.zeros(1, len(unseen), 0))
    return reward[0], logit[0].sigmoid()


def test_rewards_are_predicted_in_their_own_units(paid):
    unseen = paying(episodes(97, seed=1))
    reward, _ = outcomes(paid, unseen)
    assert unseen.reward.std() > 30
    assert (reward - unseen.reward).square().mean().sqrt() < 5


def test_ends_are_predicted_on_both_sides_of_their_boundary(paid):
    unseen = paying(episodes(97, seed=1))
    _, ends = outcomes(paid, unseen)
    beside = unseen.following[:, 0] - 1
    assert (ends[beside > 0.3] > 0.5).all()
    assert (ends[beside < -0.3] < 0.5).all()


def test_the_backward_model_is_shown_what_followed_and_what_led_to_it():
    """Before anything is measured, inputs and controls are as they are."""
    model, seen = new_model(), []
    model.networks.backwards.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    transitions, index = episodes(7), torch.arange(13)[None]
    model.loss(rows_of(model, transitions, index, index))
    state, control, _ = seen[0][0].split((2, 1, 4), -1)
    assert torch.equal(state, transitions.following[:13])
    assert torch.equal(control, transitions.control[:13])


def test_each_fit_takes_the_statistics_of_all_so_far():
    """Those held out among them; what an earlier fit measured is forgotten."""
    model = new_model(epochs=1)
    early, late = episodes(5), episodes(11, seed=1, validation=0.5)
    for transitions in (early, late):
        fit(model, optimizer_of(model), transitions, generator())
        change = transitions.following - transitions.state
        for normaliser, numbers in (
            (model.inputs, transitions.state),
            (model.controls, transitions.control),
            (model.targets, change),
            (model.backward_targets, -change),
        ):
            torch.testing.assert_close(normaliser.mean, numbers.mean(0))
            torch.testing.assert_close(normaliser.deviation, numbers.std(0, correction=0))


def test_one_hot_controls_are_normalised_as_others():
    """The original leaves them as they are."""
    model = new_model(epochs=1)
    pushes = (torch.arange(45) % 3 == 0).float()[:, None]
    fit(model, optimizer_of(model), replace(episodes(5), control=pushes), generator())
    assert model.controls(torch.ones(1, 1)).item() == pytest.approx(2**0.5, rel=1e-4)
    assert model.controls(torch.zeros(1, 1)).item() == pytest.approx(-(0.5**0.5), rel=1e-4)


def test_members_have_bootstraps_of_their_own():
    drawn = bootstraps(1000, 3, generator())
    assert drawn.shape == (3, 1000)
    assert not torch.equal(drawn[0], drawn[1])
    # Of n rows drawn n times with replacement about 63 % are there.
    assert all(500 < len(own.unique()) < 700 for own in drawn)


def test_one_member_learns_from_every_row():
    assert bootstraps(7, 1, generator()).tolist() == [[0, 1, 2, 3, 4, 5, 6]]


def test_every_part_of_the_loss_is_told():
    _, losses = fitted(epochs=1)
    assert losses.keys() == {"forward", "backward", "epochs", "validation"}


def test_without_rows_held_out_there_is_no_validation():
    assert validation_pairs(episodes(3, validation=0.0), 1, generator()) is None


def test_a_validation_loss_is_of_a_few_thousand_rows_at_most():
    context, ahead = validation_pairs(episodes(2000, validation=0.5), 3, generator())
    assert len(context) == len(ahead) == 5000


def test_training_stops_once_the_validation_loss_has_risen_for_long(monkeypatch):
    """The rolling mean begins at one and a half times the first loss, so that 1.4 is no rise."""
    assert epochs_until_stopped([1.0, 1.0, 1.4, 1.6, 1.4], monkeypatch) == 4


def test_negative_validation_losses_stop_training_as_positive_ones(monkeypatch):
    """Where the first is -3, the rolling mean begins at -2."""
    assert epochs_until_stopped([-3.0, -2.1, -1.9, -3.0], monkeypatch) == 3


def test_the_rolling_mean_of_validation_losses_keeps_99_hundredths_of_itself(monkeypatch):
    """As the original's: ten losses of nothing leave 1.5 * 0.99 ** 10 = 1.357 of it."""
    assert epochs_until_stopped([1.0, *[0.0] * 10, 1.35, 1.36, 0.0], monkeypatch) == 13


def epochs_until_stopped(losses: list[float], monkeypatch) -> float:
    """How many epochs there are with these validation losses, at most one for each."""
    left = iter(losses)
    monkeypatch.setattr("icrl_cadm.fitting.validation_loss", lambda *_: next(left))
    _, found = fitted(epochs=len(losses), rows=5)
    return found["epochs"]


def test_a_model_that_diverges_is_refused():
    with pytest.raises(ConfigError, match=r"diverged: .*nan.* learning_rate 1e\+20"):
        fitted(learning_rate=1e20)


def test_weights_decay_layer_by_layer_as_the_originals():
    assert layer_decays(5) == [2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4]
    model = new_model(hidden=(5, 5, 5, 5), encoder=(5, 5, 5))
    decays = {
        id(group["params"][0]): group["weight_decay"]
        for group in optimizer_of(model).param_groups
        if len(group["params"]) == 1
    }
    forwards, encoder = model.networks.forwards.layers, model.networks.encoder.perceptron.layers
    assert [decays[id(layer.weight)] for layer in forwards] == layer_decays(5)
    assert [decays[id(layer.weight)] for layer in encoder] == [2.5e-5, 5e-5, 7.5e-5, 0.0]


def test_the_backward_models_weights_decay_as_the_forward_models():
    model = new_model(hidden=(5, 5, 5, 5))
    of_one = {id(g["params"][0]): g for g in optimizer_of(model).param_groups}
    backwards = model.networks.backwards.layers
    assert [of_one[id(layer.weight)]["weight_decay"] for layer in backwards] == layer_decays(5)


def test_decay_is_part_of_the_loss():
    """Adam's step has the size of its rate whatever the gradient: a weight that no data pull on
    moves by it. Decay beside the loss, as AdamW's, would move it by a hundred-thousandth of that.
    """
    model = new_model()
    optimizer, weight = optimizer_of(model), model.networks.forwards.layers[0].weight
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = weight.detach().clone()
    optimizer.step()
    moved, large = before - weight, before.abs() > 1e-2
    torch.testing.assert_close(moved[large], 1e-3 * before[large].sign(), rtol=0.1, atol=0)


def test_biases_do_not_decay():
    *_, rest = optimizer_of(new_model()).param_groups
    assert rest["weight_decay"] == 0
    assert all(parameter.shape[-2] == 1 for parameter in rest["params"])


def test_weights_that_have_decayed_to_next_to_nothing_become_nothing():
    """With numbers below 1e-38 a CPU computes many times slower."""
    model = new_model(epochs=1)
    optimizer, layer = optimizer_of(model), model.networks.encoder.perceptron.layers[0]
    fit(model, optimizer, episodes(9), generator())
    with torch.no_grad():
        layer.bias.fill_(-1e3)  # no history excites a unit any more
        layer.weight.fill_(1e-36)
        for moment in ("exp_avg", "exp_avg_sq"):
            optimizer.state[layer.weight][moment].fill_(1e-39)
    others = [p.detach().clone() for p in model.networks.forwards.parameters()]
    fit(model, optimizer, episodes(9), generator())
    assert not layer.weight.any()
    assert not any(optimizer.state[layer.weight][name].any() for name in ("exp_avg", "exp_avg_sq"))
    now = model.networks.forwards.parameters()
    assert all((p != 0).all() and (p != q).any() for p, q in zip(now, others, strict=True))


@pytest.mark.parametrize("members", [1, 2])
def test_equal_generators_train_equal_models(members):
    settings = {"epochs": 1, "rows": 7, "members": members, "particles": members}
    (first, _), (again, _) = fitted(**settings), fitted(**settings)
    theirs = again.state_dict()
    assert all(torch.equal(x, theirs[name]) for name, x in first.state_dict().items())
