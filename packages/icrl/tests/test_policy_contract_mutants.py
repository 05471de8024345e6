"""The policy contract is tested too: each mutant breaks one law and fails just its test."""

import pytest
import torch
from gymnasium.spaces import Discrete
from torch import nn

from icrl.policy import SequencePolicy
from icrl.testing.policies import PolicyContract

WINDOW, WIDTH = 5, 13
OBSERVATIONS, ACTIONS = 7, 3


class Convolving(SequencePolicy[torch.Tensor]):
    """A lawful policy with a window: logits are a causal convolution over the last five steps.

    Its context is the features of those steps, [envs, WINDOW, WIDTH], the newest last.
    """

    def __init__(self, device: torch.device) -> None:
        self.observation = nn.Embedding(OBSERVATIONS, WIDTH, device=device)
        self.action = nn.Embedding(ACTIONS, WIDTH, device=device)
        self.flags = nn.Linear(3, WIDTH, device=device)
        self.kernel = torch.randn(WINDOW, WIDTH, ACTIONS, device=device)
        self.device = device

    def initial_context(self, num_envs):
        return torch.zeros(num_envs, WINDOW, WIDTH, device=self.device)

    def features(self, timestep):
        flags = (timestep.reward, timestep.terminated.float(), timestep.episode_start.float())
        flags = self.flags(torch.stack(flags, -1))
        return torch.tanh(
            self.observation(timestep.observation) + self.action(timestep.action) + flags
        )

    def step(self, timestep, context):
        features = self.features(timestep)
        context = torch.cat([context[:, 1:], features[:, None]], 1)
        return torch.einsum("etw,twa->ea", context, self.kernel), context

    def logits(self, timesteps):
        features = self.features(timesteps)
        padded = torch.cat(
            [torch.zeros_like(features[:, :1]).expand(-1, WINDOW - 1, -1), features], 1
        )
        return torch.einsum("enwt,twa->ena", padded.unfold(1, WINDOW, 1), self.kernel)

    def draw(self, logits, generator):
        return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


class DrawsFromTheGlobalGenerator(Convolving):
    def draw(self, logits, generator):
        return torch.multinomial(logits.softmax(-1), 1)[:, 0]


class RemembersOutsideItsContext(Convolving):
    acted = 0

    def draw(self, logits, generator):
        self.acted += 1
        return (super().draw(logits, generator) + self.acted // 37) % ACTIONS


class LearnsWhileActing(Convolving):
    def step(self, timestep, context):
        with torch.no_grad():
            self.flags.weight[:, 0] += 0.0 * timestep.reward.sum() + 1e-7
        return super().step(timestep, context)


class CentresOverTheBatch(Convolving):
    def features(self, timestep):
        features = super().features(timestep)
        return features - features.mean(0, keepdim=True)


class ForgetsAtTermination(Convolving):
    """Forgets all that came before an episode that follows a termination."""

    def step(self, timestep, context):
        keep = ~timestep.terminated
        return super().step(timestep, context * keep[:, None, None])

    def logits(self, timesteps):
        features = self.features(timesteps)
        life = timesteps.terminated.long().cumsum(1)
        total = 0
        for age in range(WINDOW):
            past = torch.roll(features, age, 1)
            same = torch.roll(life, age, 1) == life
            same = same & (torch.arange(life.shape[1]) >= age)
            total = total + (past * same[..., None]) @ self.kernel[WINDOW - 1 - age]
        return total


class CachesOneStepTooFew(Convolving):
    def step(self, timestep, context):
        context = torch.cat([torch.zeros_like(context[:, :2]), context[:, 2:]], 1)
        return super().step(timestep, context)


class ReadsThePreviousActionFromItsContext(Convolving):
    """Its context carries what it would itself have done, which a replayed prompt did not do."""

    def step(self, timestep, context):
        logits, context = super().step(timestep, context)
        context = context.clone()
        context[:, -1, 0] = logits.argmax(-1).float()
        return logits, context


class BranchesOnTheHost(Convolving):
    def step(self, timestep, context):
        if timestep.episode_start.any():
            context = context.clone()
        return super().step(timestep, context)


class GoesThroughTheHost(Convolving):
    def draw(self, logits, generator):
        return super().draw(logits, generator).cpu().to(logits.device)


class KeepsAConstantOnTheHost(Convolving):
    def step(self, timestep, context):
        logits, context = super().step(timestep, context)
        return logits + torch.zeros(ACTIONS), context


class AnswersOutsideTheSpace(Convolving):
    def draw(self, logits, generator):
        return super().draw(logits, generator) + 1


def contract(policy_class: type[Convolving]) -> PolicyContract:
    class Contract(PolicyContract):
        observation_space = Discrete(OBSERVATIONS)
        action_space = Discrete(ACTIONS)

        def make_policy(self, device):
            return policy_class(device)

    return Contract()


def broken_laws(policy_class: type[Convolving]) -> set[str]:
    """The tests of the contract that a policy fails."""
    suite = contract(policy_class)
    broken = set()
    for name in (n for n in dir(suite) if n.startswith("test_")):
        try:
            getattr(suite, name)()
        except Exception:  # whatever a law's breach raises
            broken.add(name)
    return broken


def test_a_lawful_policy_breaks_no_law():
    assert broken_laws(Convolving) == set()


@pytest.mark.parametrize(
    ("mutant", "law"),
    [
        (AnswersOutsideTheSpace, "test_actions_lie_in_the_action_space"),
        (DrawsFromTheGlobalGenerator, "test_equal_inputs_and_generator_states_give_equal_actions"),
        (RemembersOutsideItsContext, "test_equal_inputs_and_generator_states_give_equal_actions"),
        (LearnsWhileActing, "test_acting_changes_no_weight"),
        (CentresOverTheBatch, "test_one_environment_never_changes_anothers_action"),
        (ForgetsAtTermination, "test_an_episode_boundary_does_not_erase_the_context"),
        (CachesOneStepTooFew, "test_a_cached_step_equals_the_full_pass"),
        (ReadsThePreviousActionFromItsContext, "test_a_cached_step_equals_the_full_pass"),
        (BranchesOnTheHost, "test_acting_stays_on_the_device"),
        (GoesThroughTheHost, "test_acting_stays_on_the_device"),
        (KeepsAConstantOnTheHost, "test_acting_stays_on_the_device"),
    ],
)
def test_a_mutant_fails_just_the_law_that_it_breaks(mutant, law):
    assert broken_laws(mutant) == {law}


def test_what_says_why_it_acts_on_the_host_is_asked_for_no_device():
    suite = contract(GoesThroughTheHost)
    type(suite).on_the_host = "it is a mutant"
    with pytest.raises(pytest.skip.Exception, match="acts on the host: it is a mutant"):
        suite.test_acting_stays_on_the_device()


def test_every_law_has_a_mutant():
    laws = {name for name in dir(PolicyContract) if name.startswith("test_")}
    marks = test_a_mutant_fails_just_the_law_that_it_breaks.pytestmark
    assert laws == {law for _, law in marks[0].args[1]}
