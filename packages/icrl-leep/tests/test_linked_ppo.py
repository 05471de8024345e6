"""LinkedPPO: with one member it is SB3's own PPO; with several, each learns by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import configure_logger
from torch import Tensor, nn

from icrl.errors import ConfigError
from icrl.families import TaskFamily
from icrl.sb3 import TaskVecEnv, own_globals
from icrl.testing import TwoCells
from icrl.testing.counter import Counter, CounterFamily
from icrl_leep.actor_critic import MemberActorCritic
from icrl_leep.linked_ppo import Batch, LinkedPPO

HIDDEN = (5, 7)
STEPS = 11
SETTINGS = {
    "learning_rate": 1e-3,
    "n_epochs": 1,
    "gamma": 0.9,
    "gae_lambda": 0.8,
    "ent_coef": 0.03,
    "vf_coef": 0.7,
    "max_grad_norm": 0.05,
    "seed": 3,
    "device": "cpu",
}


class Fraction(Counter):
    """A counter that shows everything divided by a hundred: from -1 to 1, as SB3 wants it."""

    observation_space = spaces.Box(-1.0, 1.0, (3,), np.float64)

    def _observation(self, action: float) -> np.ndarray:
        return super()._observation(action) / 100


class Fractions(CounterFamily):
    id = "Fraction"

    def make_env(self, render_mode: str | None = None) -> Any:
        return Fraction(self.length, self.how)


def new_env(family: TaskFamily, num_envs: int = 4) -> TaskVecEnv:
    """Rows of fixed tasks; those of `TwoCells` are cut after 2 steps or 4."""
    return TaskVecEnv(family.vector_env(family.sample_tasks(num_envs, seed=0)))


def linked(
    family: TaskFamily, members: int, *, alpha: float = 0.0, final_alpha: float = 0.0, **settings
) -> LinkedPPO:
    return LinkedPPO(
        new_env(family),
        members=members,
        link="max",
        alpha=alpha,
        final_alpha=final_alpha,
        minibatches=settings.pop("minibatches", 1),
        n_steps=STEPS,
        policy_kwargs={
            "hidden": HIDDEN,
            "channels": (3,),
            "joint_choices": 256,
            "link_samples": 3,
        },
        **{**SETTINGS, **settings},
    )


def own_ppo(family: TaskFamily) -> PPO:
    """SB3's, with the same settings and sizes."""
    sizes = list(HIDDEN)
    return PPO(
        "MlpPolicy",
        new_env(family),
        n_steps=STEPS,
        batch_size=4 * STEPS,
        policy_kwargs={"net_arch": {"pi": sizes, "vf": sizes}},
        **SETTINGS,
    )


def parameters(ours: LinkedPPO, theirs: PPO) -> list[tuple[Tensor, Tensor]]:
    """Pairs of the same parameter, in SB3's shapes."""
    networks, policy = ours.policy.networks, theirs.policy
    pairs = []
    for perceptron, body, head in (
        (networks.actor, policy.mlp_extractor.policy_net, policy.action_net),
        (networks.critic, policy.mlp_extractor.value_net, policy.value_net),
    ):
        layers = [layer for layer in body if isinstance(layer, nn.Linear)]
        for own, other in zip([*perceptron.hidden, perceptron.last], [*layers, head], strict=True):
            pairs += [(own.weight[0].T, other.weight), (own.bias[0, 0], other.bias)]
    if networks.log_std is not None:
        pairs.append((networks.log_std[0, 0], policy.log_std))
    return pairs


def copy_weights(ours: LinkedPPO, theirs: PPO) -> None:
    with torch.no_grad():
        for own, other in parameters(ours, theirs):
            other.copy_(own)


def collect(model: PPO) -> None:
    """One rollout, as `learn` makes it."""
    _, callback = model._setup_learn(4 * STEPS, None)
    model.set_logger(configure_logger(0))
    model.collect_rollouts(model.env, callback, model.rollout_buffer, STEPS)
    model._update_current_progress_remaining(model.num_timesteps, 4 * STEPS)


def act_with(model: LinkedPPO, actions: np.ndarray) -> None:
    """Let the members take these actions, [steps, rows, ...], instead of drawing."""
    following = iter(torch.from_numpy(actions))
    members = model.policy.member_actions
    bare = isinstance(model.action_space, spaces.Discrete)

    def sample(outputs: Tensor, generator: Any) -> Tensor:
        action = next(following).unflatten(0, outputs.shape[:2])
        return action[..., 0].long() if bare else action

    members.sample = sample  # type: ignore[method-assign]


FAMILIES = [TwoCells, Fractions, lambda: Fractions(how="terminated")]
NAMES = ["cut at different steps", "cut after three steps", "ended after three steps"]


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_one_member_learns_what_sb3s_own_ppo_learns(family: Callable[[], TaskFamily]):
    with own_globals():
        ours, theirs = linked(family(), 1), own_ppo(family())
        copy_weights(ours, theirs)
        collect(theirs)
        act_with(ours, theirs.rollout_buffer.actions)
        collect(ours)
        for name in ("observations", "rewards", "values", "log_probs", "advantages", "returns"):
            own, other = (getattr(model.rollout_buffer, name) for model in (ours, theirs))
            np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5, err_msg=name)
        before = [own.detach().clone() for own, _ in parameters(ours, theirs)]
        for model in (ours, theirs):
            model.train()
    moved = [own - start for (own, _), start in zip(parameters(ours, theirs), before, strict=True)]
    assert max(float(step.detach().abs().max()) for step in moved) > 5e-4
    for own, other in parameters(ours, theirs):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5)


def test_rollouts_of_that_test_hold_episodes_that_were_cut():
    """Else it would show nothing about bootstrapping."""
    with own_globals():
        model = own_ppo(TwoCells())
        collect(model)
    added = model.rollout_buffer.rewards % 1  # rewards are 0 or 1
    assert len(np.unique(np.nonzero(added)[0])) > 2  # at different steps


def test_what_follows_a_cut_episode_is_valued_by_the_member_whose_it_is():
    """Rows of two members whose critics say 1 and 10 everywhere, who always stay in cell 0.

    length 2, pays in cell 0:   1, 1 + γV, 1, 1 + γV, ...        (0 without the 1 if it does not)
    length 4, pays in cell 0:   1, 1, 1, 1 + γV, ...
    """
    family = TwoCells()
    tasks = family.sample_tasks(4, seed=0).arrays
    with own_globals():
        model = linked(family, 2)
        last = model.policy.networks.critic.last
        with torch.no_grad():
            last.weight.zero_()
            last.bias.copy_(torch.tensor([1.0, 10.0]).view(2, 1, 1))
        act_with(model, np.zeros((STEPS, 4, 1), np.float32))
        collect(model)
    step = torch.arange(1, STEPS + 1)[:, None]
    cut = step % tasks["length"] == 0
    value = torch.tensor([1.0, 1.0, 10.0, 10.0])
    expected = (tasks["goal"] == 0).float() + 0.9 * value * cut
    np.testing.assert_allclose(model.rollout_buffer.rewards, expected, rtol=1e-5)
    assert sorted(tasks["length"].tolist()) == [2, 2, 4, 4]


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 7), ("clip_range_vf", 0.2), ("target_kl", 0.01), ("use_sde", True)],
)
def test_a_setting_that_the_update_would_pass_over_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"does not serve {name} of Stable-Baselines3's PPO"):
        linked(TwoCells(), 2, **{name: value})


# Members learn by themselves.


def prepared(members: int = 2, alpha: float = 0.0, **settings: Any) -> tuple[LinkedPPO, Batch]:
    """A model with weights far from even, and a rollout of it."""
    with own_globals():
        model = linked(TwoCells(), members, alpha=alpha, **settings)
        with torch.no_grad():
            for parameter in model.policy.parameters():
                parameter.add_(torch.randn_like(parameter) / 2)
        collect(model)
    return model, model._rollout()


def gradients(model: LinkedPPO, batch: Batch, alpha: float, member: int) -> list[Tensor]:
    """Of the whole loss, of one member's weights."""
    model.policy.zero_grad()
    model._losses(batch, 0.2, alpha)["loss"].backward()
    return [p.grad[member].clone() for p in model.policy.parameters() if p.grad is not None]


def same(ones: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.allclose(a, b, atol=1e-7) for a, b in zip(ones, others, strict=True))


def disturb(model: LinkedPPO, member: int) -> None:
    """Change all weights of a member."""
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter[member] += 0.3


def test_without_a_link_a_member_learns_nothing_from_another():
    model, batch = prepared()
    before = gradients(model, batch, 0.0, member=0)
    batch.advantage[1] *= -3
    batch.returns[1] += 5
    disturb(model, member=1)
    assert same(gradients(model, batch, 0.0, member=0), before)
    assert any(float(g.abs().max()) > 1e-4 for g in before)


def test_with_a_link_a_member_learns_from_what_another_would_do():
    model, batch = prepared()
    before = gradients(model, batch, 0.7, member=0)
    batch.returns[1] += 5  # of what others experience it still learns nothing
    assert same(gradients(model, batch, 0.7, member=0), before)
    disturb(model, member=1)
    assert not same(gradients(model, batch, 0.7, member=0), before)


@pytest.mark.parametrize("family", [TwoCells, Fractions])
def test_the_link_of_a_member_moves_that_member_alone(family: Callable[[], TaskFamily]):
    """Though the linked policy is made of both: with choices, and with Gaussians."""
    with own_globals():
        model = linked(family(), 2)
        collect(model)
        batch = model._rollout()
        disturb(model, member=1)
        outputs, _ = model.policy.networks.own(batch.observation, 44)
        model.policy.divergence(outputs, batch.observation)[0].sum().backward()
    moved = [p.grad.flatten(1).abs().sum(1) for p in model.policy.networks.actor.parameters()]
    assert all(float(own) > 0 and float(other) == 0 for own, other in moved)


def test_the_link_moves_no_critic():
    model, batch = prepared()
    found = []
    for alpha in (0.0, 0.7):
        gradients(model, batch, alpha, member=0)
        found.append([p.grad.clone() for p in model.policy.networks.critic.parameters()])
    assert same(*found)


def test_the_link_is_measured_on_each_members_own_states():
    """Beside the divergence of a table made row by row, member by member."""
    model, batch = prepared()
    policy = model.policy
    outputs, _ = policy.networks.own(batch.observation, 44)
    found = policy.divergence(outputs, batch.observation)
    everyone = policy.linked_outputs(batch.observation)
    for member in (0, 1):
        rows = slice(22 * member, 22 * (member + 1))
        table = everyone[:, rows].softmax(-1)
        linked_policy = table.amax(0) / table.amax(0).sum(-1, keepdim=True)
        own = table[member]
        expected = (own * (own / linked_policy).log()).sum(-1)
        torch.testing.assert_close(found[member], expected, rtol=1e-4, atol=1e-6)
    assert float(found.detach().min()) > 0


def test_the_loss_is_the_sum_of_what_the_members_would_have_alone():
    model, batch = prepared(alpha=0.7)
    terms = model._losses(batch, 0.2, 0.7)
    mean = (
        terms["policy_gradient_loss"]
        + 0.03 * terms["entropy_loss"]
        + 0.7 * terms["value_loss"]
        + 0.7 * terms["link"]
    )
    torch.testing.assert_close(terms["loss"], 2 * mean)
    assert float(terms["link"].detach()) > 0


def test_each_members_gradient_is_clipped_by_itself():
    """Norms of 1000 √n and 0.001 √n, with a limit of 0.05: the first is cut, the second kept."""
    model, _ = prepared()
    weights = list(model.policy.parameters())
    model._step(sum(1000 * w[0].sum() + 1e-3 * w[1].sum() for w in weights))
    size = sum(w[0].numel() for w in weights)
    used = [torch.cat([w.grad[member].flatten() for w in weights]) for member in (0, 1)]
    torch.testing.assert_close(used[0], torch.full((size,), 0.05 / size**0.5), rtol=1e-4, atol=0)
    torch.testing.assert_close(used[1], torch.full((size,), 1e-3), rtol=1e-4, atol=0)
    assert 1e-3 * size**0.5 < 0.05


def test_minibatches_have_all_rows_once_and_equally_many_of_each_member():
    model, every = prepared(minibatches=5)
    numbered = Batch(
        torch.arange(44),
        every.action,
        torch.arange(44.0).reshape(2, 22),
        every.advantage,
        every.returns,
    )
    batches = list(model._batches(numbered))
    assert [tuple(batch.advantage.shape) for batch in batches] == [(2, 5), (2, 5)] + 3 * [(2, 4)]
    for batch in batches:
        assert batch.observation.tolist() == batch.old_log_prob.flatten().long().tolist()
        assert batch.old_log_prob[0].max() < 22 <= batch.old_log_prob[1].min()
    seen = torch.cat([batch.observation for batch in batches])
    assert sorted(seen.tolist()) == list(range(44))


def test_rows_of_a_rollout_are_their_members():
    """Rows 0 and 1 are the first member's, and each row's steps lie in order."""
    model, every = prepared()
    buffer = model.rollout_buffer
    steps = buffer.returns.reshape(4, STEPS)  # as `_rollout` laid it out
    torch.testing.assert_close(every.returns[1], torch.from_numpy(steps[2:].flatten()))
    with own_globals():
        again = linked(TwoCells(), 2)
        again.policy.load_state_dict(model.policy.state_dict())
        collect(again)
    rows = again.rollout_buffer.returns.T  # [rows, steps], as collected
    np.testing.assert_allclose(again._rollout().returns[0], rows[:2].flatten())


# What α does.


class Alphas(BaseCallback):
    """Keeps what was logged of each update."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.seen = name, []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        value = self.model.logger.name_to_value.get(self.name)
        if value is not None:
            self.seen.append(value)


def test_the_weight_of_the_divergence_goes_by_a_straight_line():
    with own_globals():
        model = linked(TwoCells(), 2, alpha=1.0, final_alpha=0.2)
        callback = Alphas("train/alpha")
        model.learn(5 * 4 * STEPS, callback=callback, log_interval=None)
        seen = [*callback.seen, model.logger.name_to_value["train/alpha"]]
    assert seen == pytest.approx([0.84, 0.68, 0.52, 0.36, 0.2])


def test_it_does_not_go_beyond_its_end():
    model = linked(TwoCells(), 2, alpha=1.0, final_alpha=0.2)
    weights = [model.alpha_at(remaining) for remaining in (1, 0.5, 0, -3)]
    assert weights == pytest.approx([1.0, 0.6, 0.2, 0.2])


def divergence_after_learning(alpha: float) -> float:
    """Between two members who are paid in different cells, over both cells."""
    family = TwoCells()
    tasks = family.sample_tasks(4, seed=0)
    order = tasks.arrays["goal"].argsort(stable=True)
    with own_globals():
        model = linked(
            family, 2, alpha=alpha, final_alpha=alpha, learning_rate=0.03, max_grad_norm=1.0
        )
        model.set_env(TaskVecEnv(family.vector_env(tasks[order])))
        model.learn(30 * 4 * STEPS, log_interval=None)
    cells = torch.tensor([0, 1, 0, 1])
    outputs, _ = model.policy.networks.own(cells, 4)
    return float(model.policy.divergence(outputs, cells).mean().detach())


def test_a_link_keeps_members_together_who_are_paid_for_different_things():
    apart, together = divergence_after_learning(0.0), divergence_after_learning(3.0)
    assert apart > 0.1
    assert together < apart / 3


def test_equal_seeds_draw_equal_members():
    with own_globals():
        first, second = (linked(TwoCells(), 2, seed=7).policy.state_dict() for _ in range(2))
        other = linked(TwoCells(), 2, seed=8).policy.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_members_begin_with_weights_of_their_own():
    with own_globals():
        policy = linked(TwoCells(), 2).policy
    assert isinstance(policy, MemberActorCritic)
    for weight in (policy.networks.actor.last.weight, policy.networks.critic.hidden[0].weight):
        assert not torch.allclose(weight[0], weight[1])


def test_sb3_predicts_what_the_members_would_do_together():
    """So that SB3's own callbacks evaluate the linked policy, in any number of rows."""
    model = linked(TwoCells(), 2)
    seen = model.policy.obs_to_tensor(np.array([0, 1, 0]))[0]
    with torch.no_grad():
        outputs = model.policy.linked_outputs(seen)
    mode = model.policy.member_actions.linked_mode(outputs, "max")
    actions, _ = model.predict(np.array([0, 1, 0]), deterministic=True)
    np.testing.assert_array_equal(actions, mode.numpy())
