"""DynamicsModel: what a control leads to, under a context that past transitions tell.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning", arXiv:2005.06800.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from icrl_cadm.config import CaDMConfig
from icrl_cadm.encoders import Encoded, Encoder, Perceptron, Recurrent, Stacked
from icrl_cadm.gradient_adaptation import adapted_target
from icrl_cadm.history import History
from icrl_cadm.normalisation import Normaliser
from icrl_cadm.states import States
from icrl_cadm.transitions import Transitions

LOG_VARIANCE = (-10.0, 0.5)
"""Where the bounds of the predicted log-variance begin; they are learned (Chua et al. 2018)."""
BOUNDS_PENALTY = 0.01


class Rows(NamedTuple):
    """What a model is trained on, [members, rows, ...] each."""

    history: History
    state: Tensor
    control: Tensor
    following: Tensor
    reward: Tensor
    terminated: Tensor


class Networks(nn.Module):
    """The networks of all members, in whatever precision."""

    def __init__(
        self,
        config: CaDMConfig,
        *,
        num_states: int,
        num_inputs: int,
        num_controls: int,
        learns_rewards: bool,
    ) -> None:
        super().__init__()
        self.encoder = _encoder(config, num_states, num_controls)
        size = self.encoder.size if self.encoder is not None else 0
        known = num_inputs + num_controls + size
        outputs = num_states * (2 if config.probabilistic else 1)
        members, hidden = config.members, config.hidden
        self.forwards = Perceptron(members, known, hidden, outputs, functional.silu)
        self.backwards = (
            Perceptron(members, known, hidden, num_states, functional.silu)
            if config.backward > 0 and config.context == "encoded"
            else None
        )
        self.outcomes = (
            Perceptron(members, known + num_inputs, hidden, 2, functional.silu)
            if learns_rewards
            else None
        )


class DynamicsModel(nn.Module):
    """Forward and backward models that share a context, and what imagined steps earn, of all
    members at once.

    The forward model predicts the normalised target (a difference, unless the family's
    `DynamicsView` says otherwise) by its mean, or by mean and variance; the backward model is
    always deterministic, as the original's. Inputs, targets and controls are normalised by the
    statistics of all transitions so far; the differences in the history are not.
    """

    def __init__(
        self, config: CaDMConfig, states: States, num_controls: int, *, learns_rewards: bool
    ) -> None:
        """
        Args:
            config: adapted settings.
            states: how observations are vectors.
            num_controls: numbers of a control.
            learns_rewards: whether reward and termination are learned too.
        """
        super().__init__()
        self.config, self.states = config, states
        self.members = config.members
        self.networks = Networks(
            config,
            num_states=states.size,
            num_inputs=states.num_inputs,
            num_controls=num_controls,
            learns_rewards=learns_rewards,
        )
        self.inputs = Normaliser(states.num_inputs)
        self.controls = Normaliser(num_controls)
        self.past_controls = Normaliser(num_controls)
        self.targets = Normaliser(states.size)
        self.backward_targets = Normaliser(states.size)
        self.rewards = Normaliser(1)
        if config.probabilistic:
            low, high = LOG_VARIANCE
            self.least = nn.Parameter(torch.full((self.members, 1, states.size), low))
            self.greatest = nn.Parameter(torch.full((self.members, 1, states.size), high))

    @property
    def width(self) -> int:
        """Numbers of a context; 0 without."""
        return 0 if self.networks.encoder is None else self.networks.encoder.size

    @torch.no_grad()
    def measure(self, transitions: Transitions) -> None:
        """Take the statistics of all transitions, and of the controls in their histories."""
        assert self.config.past is not None  # `adapted` has filled it
        state, following = transitions.state, transitions.following
        self.inputs.measure(self.states.inputs(state))
        self.controls.measure(transitions.control)
        self.past_controls.measure(transitions.past_controls(self.config.past))
        self.targets.measure(self.states.targets(state, following))
        self.backward_targets.measure(self.states.targets(following, state))
        self.rewards.measure(transitions.reward[:, None])

    def context(self, history: History) -> Tensor:
        """What a history tells each member, [members, rows, width].

        `history` is of rows [rows] that all members see, or of rows of each [members, rows].
        """
        rows = history.filled
        if rows.ndim == 1:
            rows = rows.expand(self.members, -1)
        encoder = self.networks.encoder
        if encoder is None:
            return torch.zeros(*rows.shape, 0, device=rows.device)
        shape = (*rows.shape, -1, -1)
        differences = history.differences.expand(shape)
        controls = self.past_controls(history.control).expand(shape)
        dtype = self._dtype
        return encoder(differences.to(dtype), controls.to(dtype), rows).float()

    def predict(
        self, state: Tensor, control: Tensor, context: Tensor, noise: Tensor | None = None
    ) -> Tensor:
        """What follows, [members, rows, state numbers].

        Args:
            state: [members, rows, state numbers].
            control: [members, rows, control numbers].
            context: [members, rows, width].
            noise: standard normal, shaped as the state, by which a probabilistic model's prediction
                lies off its mean; None: it is the mean.
        """
        mean, log_variance = self.target(state, control, context)
        if log_variance is not None and noise is not None:
            mean = mean + noise * (0.5 * log_variance).exp()
        return self.states.following(state, self.targets.inverse(mean))

    def target(
        self, state: Tensor, control: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The normalised target's mean, and its log-variance of a probabilistic model."""
        out = self._through(self.networks.forwards, self.known(state, control, context))
        if not self.config.probabilistic:
            return out, None
        mean, log_variance = out.chunk(2, -1)
        log_variance = self.greatest - functional.softplus(self.greatest - log_variance)
        return mean, self.least + functional.softplus(log_variance - self.least)

    def known(self, state: Tensor, control: Tensor, *more: Tensor) -> Tensor:
        """What a network gets: normalised inputs and controls [..., numbers], and more beside."""
        seen = self.inputs(self.states.inputs(state))
        return torch.cat((seen, self.controls(control), *more), -1)

    def outcome(
        self, state: Tensor, control: Tensor, following: Tensor, context: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Learned reward (in the environment's units) and logit of termination, [members, rows]."""
        assert self.networks.outcomes is not None
        known = self.known(state, control, context, self.inputs(self.states.inputs(following)))
        out = self._through(self.networks.outcomes, known)
        return self.rewards.inverse(out[..., :1])[..., 0], out[..., 1]

    def loss(self, rows: Rows) -> tuple[Tensor, dict[str, Tensor]]:
        """What training makes less, summed over members, and its parts of each member [members]:
        forward + `backward` * backward (Lee et al. 2020, equation 4), and the learned outcome's.
        """
        context = self.context(rows.history)
        parts = {"forward": self._forward_loss(rows, context)}
        if self.networks.backwards is not None:
            parts["backward"] = self._backward_loss(rows, context)
        if self.networks.outcomes is not None:
            parts["outcome"] = self._outcome_loss(rows, context)
        weights = {"backward": self.config.backward}
        total = sum(weights.get(name, 1.0) * part.sum() for name, part in parts.items())
        assert isinstance(total, Tensor)
        if self.config.probabilistic:
            total = total + BOUNDS_PENALTY * (self.greatest - self.least).sum()
        return total, {name: part.detach() for name, part in parts.items()}

    def _forward_loss(self, rows: Rows, context: Tensor) -> Tensor:
        target = self.targets(self.states.targets(rows.state, rows.following))
        if self.config.context == "gradient":
            mean, log_variance = adapted_target(self, rows), None
        else:
            mean, log_variance = self.target(rows.state, rows.control, context)
        error = (mean - target).square()
        if log_variance is not None:
            error = error * (-log_variance).exp() + log_variance
        return error.mean((1, 2))

    def _backward_loss(self, rows: Rows, context: Tensor) -> Tensor:
        assert self.networks.backwards is not None
        target = self.backward_targets(self.states.targets(rows.following, rows.state))
        known = self.known(rows.following, rows.control, context)
        return (self._through(self.networks.backwards, known) - target).square().mean((1, 2))

    def _outcome_loss(self, rows: Rows, context: Tensor) -> Tensor:
        reward, logit = self.outcome(rows.state, rows.control, rows.following, context)
        error = ((reward - rows.reward) / self.rewards.deviation).square()
        ended = functional.binary_cross_entropy_with_logits(
            logit, rows.terminated.float(), reduction="none"
        )
        return (error + ended).mean(1)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.networks.parameters()).dtype

    def _through(self, network: nn.Module, x: Tensor) -> Tensor:
        return network(x.to(self._dtype)).float()


def _encoder(config: CaDMConfig, num_states: int, num_controls: int) -> Encoder | None:
    assert config.past is not None  # `adapted` has filled it
    sizes = (config.past, num_states, num_controls)
    match config.context:
        case "stacked":
            return Stacked(*sizes)
        case "encoded":
            return Encoded(config.members, *sizes, config.encoder, config.context_size)
        case "recurrent":
            return Recurrent(config.members, *sizes[1:], config.context_size)
    return None
