"""The probabilistic context: its divergence in the loss, and how it is drawn."""

import torch

from icrl.agent import Interface
from icrl.testing import Corridor
from icrl_cadm.model_free.clues import NOISE, TRANSITIONS
from icrl_cadm.model_free.config import ModelFreeConfig
from icrl_cadm.model_free.learning import ModelFreeAgent
from icrl_cadm.model_free.networks import InferringExtractor, TowardsUnitGaussian


def test_the_divergence_from_a_unit_gaussian_is_added_to_the_loss():
    """The gradient of loss + weight * KL, beside autograd's of the same written out."""
    generator = torch.Generator().manual_seed(0)
    mean, log_deviation = (
        torch.randn(3, 5, generator=generator, requires_grad=True) for _ in range(2)
    )
    passed = TowardsUnitGaussian.apply(mean, log_deviation, 0.7)
    (passed[0].square().sum() + passed[1].sum()).backward()
    found = mean.grad.clone(), log_deviation.grad.clone()
    mean.grad = log_deviation.grad = None
    divergence = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, log_deviation.exp()), torch.distributions.Normal(0.0, 1.0)
    )
    loss = mean.square().sum() + log_deviation.sum() + 0.7 * divergence.sum(1).mean()
    loss.backward()
    torch.testing.assert_close(found[0], mean.grad)
    torch.testing.assert_close(found[1], log_deviation.grad)


def test_a_context_is_drawn_by_the_noise_that_is_shown():
    config = ModelFreeConfig(context="probabilistic", past=2, context_size=3, encoder=(7,))
    agent = ModelFreeAgent(config, Interface.of(Corridor()), torch.device("cpu"))
    extractor = agent.actor.parts[0]
    assert isinstance(extractor, InferringExtractor)
    slots = torch.randn(2, 2 * (7 + 2), generator=torch.Generator().manual_seed(0))
    noise = torch.tensor([[0.0] * 3, [2.0] * 3])
    mean, log_deviation = extractor.inferred(slots)
    found = extractor({"state": torch.ones(2, 7), TRANSITIONS: slots, NOISE: noise})
    assert found.shape == (2, 10)
    torch.testing.assert_close(found[0, 7:], mean[0])
    torch.testing.assert_close(found[1, 7:], mean[1] + 2 * log_deviation[1].exp())
