"""The backbone: cached equals full past the window, what recomputing would give instead, dropout by
hand.
"""

import pytest
import torch
from torch import nn

from icrl.nn import CausalBackbone, attention, dropout, initial_weights
from icrl.nn.attention import banded_attention
from icrl.nn.dropout import dropped, quantised

WINDOW, WIDTH, LAYERS, SPAN = 7, 12, 3, 4


def backbone(**settings):
    """A backbone with weights so large that what it remembers shows."""
    chosen = {
        "layers": LAYERS,
        "heads": 3,
        "feed_forward": 20,
        "window": WINDOW,
        "convolution": SPAN,
    }
    with initial_weights(torch.Generator().manual_seed(0)):
        model = CausalBackbone(WIDTH, **{**chosen, **settings})
        for block in model.blocks:
            for linear in (block.out, block.down):
                nn.init.normal_(linear.weight, std=0.3)
    return model.requires_grad_(False)


def tokens(batch, time, seed=1):
    return torch.randn(batch, time, WIDTH, generator=torch.Generator().manual_seed(seed))


def stepped(model, x):
    cache = model.initial_cache(len(x))
    outputs = []
    for step in x.unbind(1):
        output, cache = model.step(step, cache)
        outputs.append(output)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("convolution", [0, 1, SPAN])
@pytest.mark.parametrize("window", [1, WINDOW, 50])
def test_a_cached_step_equals_the_full_pass_past_twice_the_window(window, convolution):
    model = backbone(window=window, convolution=convolution)
    x = tokens(5, 3 * WINDOW + 2)
    torch.testing.assert_close(stepped(model, x), model(x), rtol=1e-4, atol=1e-4)


def test_a_cached_step_equals_the_full_pass_far_into_a_trial():
    model = backbone(layers=1)
    x = tokens(2, 3 * WINDOW)
    cache = model.initial_cache(2)
    cache.steps = WINDOW * 1_000_000  # an empty ring, as if a trial had gone on for long
    cache.ring.zero_()
    outputs = []
    for step in x.unbind(1):
        output, cache = model.step(step, cache)
        outputs.append(output)
    late = torch.stack(outputs, 1)[:, 2 * WINDOW :]
    torch.testing.assert_close(late, model(x)[:, 2 * WINDOW :], rtol=1e-4, atol=1e-4)


def test_recomputing_only_the_last_window_gives_something_else_once_the_trial_is_longer():
    model = backbone()
    x = tokens(5, 4 * WINDOW)
    full = model(x)
    error = torch.stack(
        [
            (model(x[:, max(0, t + 1 - WINDOW) : t + 1])[:, -1] - full[:, t]).abs().mean()
            for t in range(x.shape[1])
        ]
    )
    assert (error[:WINDOW] < 1e-5).all()
    typical = full.abs().mean()
    assert (error[WINDOW:] > 0.03 * typical).all()
    assert error[WINDOW:].mean() > 0.1 * typical


def test_a_step_sees_back_through_every_layer():
    """A change at step 0 reaches `layers (window - 1) + span - 1` steps, and no further."""
    model = backbone()
    x = tokens(1, 4 * WINDOW)
    changed = x.clone()
    changed[:, 0] += 1
    moved = (model(changed) - model(x)).abs().amax(-1)[0] > 1e-6
    reach = LAYERS * (WINDOW - 1) + SPAN - 1
    assert moved[: reach + 1].all()
    assert not moved[reach + 1 :].any()


def test_nothing_is_known_of_later_steps():
    model = backbone()
    x = tokens(3, 3 * WINDOW)
    for changed in (2, WINDOW, 2 * WINDOW + 3):
        other = x.clone()
        other[:, changed:] += 1
        torch.testing.assert_close(model(other)[:, :changed], model(x)[:, :changed])


def test_a_cache_does_not_grow():
    model = backbone()
    cache = model.initial_cache(5)
    shapes = [tuple(t.shape) for t in (cache.ring, cache.inputs)]
    for step in tokens(5, 3 * WINDOW).unbind(1):
        _, cache = model.step(step, cache)
    assert [tuple(t.shape) for t in (cache.ring, cache.inputs)] == shapes
    assert cache.steps == 3 * WINDOW


def test_without_a_generator_nothing_is_dropped():
    model = backbone(attention_dropout=0.5, residual_dropout=0.5)
    x = tokens(2, WINDOW)
    assert torch.equal(model(x), model(x))
    assert torch.equal(model(x), backbone()(x))
    generator = torch.Generator().manual_seed(0)
    assert not torch.allclose(model(x, generator), model(x, generator))


def by_formula(query, key, value, window, drop, gain):
    """softmax(q k) in the band, dropped, times v."""
    steps = torch.arange(query.shape[2])
    distance = steps[:, None] - steps
    scores = query @ key.transpose(-1, -2)
    scores = scores.masked_fill((distance < 0) | (distance >= window), -torch.inf)
    return (scores.softmax(-1).masked_fill(drop, 0) * gain) @ value


@pytest.mark.parametrize("at_once", [1, 300, 10**6])
def test_attention_with_dropout_is_the_formula_to_its_gradients(monkeypatch, at_once):
    monkeypatch.setattr(attention, "SCORES_IN_CACHE", at_once)
    generator = torch.Generator().manual_seed(4)
    query, key, value = (
        torch.randn(5, 3, 11, 6, generator=generator, requires_grad=True) for _ in range(3)
    )
    probability = 77 / 256
    draws = torch.Generator().manual_seed(5)
    drop = dropped((15, 11, 11), probability, draws, query.device).view(5, 3, 11, 11)
    ours = banded_attention(query, key, value, 13, probability, torch.Generator().manual_seed(5))
    formula = by_formula(query, key, value, 13, drop, 1 / (1 - probability))
    torch.testing.assert_close(ours, formula)
    weights = torch.randn(ours.shape, generator=generator)
    for one, other in zip(
        torch.autograd.grad(ours, (query, key, value), weights),
        torch.autograd.grad(formula, (query, key, value), weights),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_attention_beyond_the_window_is_the_formula():
    generator = torch.Generator().manual_seed(4)
    query, key, value = (torch.randn(2, 3, 23, 6, generator=generator) for _ in range(3))
    nothing = torch.zeros(23, 23, dtype=torch.bool)
    torch.testing.assert_close(
        banded_attention(query, key, value, WINDOW),
        by_formula(query, key, value, WINDOW, nothing, 1.0),
    )


def test_dropout_keeps_the_mean_of_attention():
    generator = torch.Generator().manual_seed(6)
    query, key, value = (torch.randn(1, 1, 5, 4, generator=generator) for _ in range(3))
    many = [tensor.expand(4001, 3, -1, -1) for tensor in (query, key, value)]
    mean = banded_attention(*many, WINDOW, 0.5, generator).mean((0, 1))
    plain = banded_attention(query, key, value, WINDOW)[0, 0]
    torch.testing.assert_close(mean, plain, rtol=0, atol=0.05)


def test_attention_with_dropout_runs_in_mixed_precision():
    model = backbone(attention_dropout=0.5).requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(tokens(2, 2 * WINDOW), torch.Generator().manual_seed(0))
    output.float().square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_expectation_exact(probability):
    share = quantised(probability)
    assert abs(share - probability) <= 1 / 512
    kept = dropout(torch.ones(1009, 101), probability, torch.Generator().manual_seed(0))
    values = kept.unique()
    assert values[0] == 0
    torch.testing.assert_close(values[1:], torch.tensor([1 / (1 - share)]))
    deviation = (share * (1 - share) / kept.numel()) ** 0.5
    assert abs((kept == 0).float().mean() - share) < 4 * deviation


def test_every_byte_of_a_draw_is_uniform():
    """`random_()` without bounds leaves the top bit of each word 0; eight bytes a word need all
    bits.
    """
    drop = dropped((8 * 20_011,), 0.5, torch.Generator().manual_seed(0), torch.device("cpu"))
    share = drop.view(-1, 8).float().mean(0)
    assert ((share - 0.5).abs() < 4 * 0.5 / 20_011**0.5).all()


def test_dropout_draws_from_the_given_generator_alone():
    before = torch.get_rng_state()
    first, second = (
        dropout(torch.ones(7, 5), 0.5, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    x = torch.ones(7)
    assert dropout(x, 0.5, None) is x
