"""Settings of the agents that plan with a model; their names differ by a few of them."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

from gymnasium import spaces

from icrl.config import Config
from icrl.errors import ConfigError, ContextError

if TYPE_CHECKING:
    from icrl.agent import Interface

PAST, FUTURE = 10, 10
"""The paper's K and M, where episodes are long enough."""
UNKNOWN_HORIZON = 200
"""Steps that are played in an environment, where a family does not say how long episodes are."""
Kind = Literal["none", "stacked", "encoded", "recurrent", "gradient"]


@dataclass(frozen=True, kw_only=True)
class CaDMConfig(Config):
    """Settings of CaDM: those of the context, of the model, of its training and of planning.

    The defaults are the paper's Vanilla + CaDM: one deterministic member.
    """

    context: Kind = "encoded"
    """What tells the model which dynamics it is in: `encoded`, CaDM's encoder of past transitions;
    `none`; `stacked`, the past transitions themselves; `recurrent`, a recurrent network over them
    (ReBAL); `gradient`, a step of gradient descent on them (GrBAL)."""
    past: int | None = None
    """Past transitions that the context is made of (the paper's K); by default 10, or as many as
    an episode has before its last step."""
    future: int | None = None
    """Transitions that one context has to predict in training, one step each (the paper's M); by
    default 10, or an episode's; 1 where no context is learned (`none`, `stacked`)."""
    context_size: int = 10
    """Numbers of an encoded or recurrent context."""
    encoder: tuple[int, ...] = (256, 128, 64)
    """Hidden units of the encoder."""
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    """Hidden units of the forward and the backward model."""
    backward: float = 0.5
    """Weight of the backward model's loss, where there is an encoder; 0: no backward model."""
    members: int = 1
    """Members of the ensemble, each with an encoder of its own."""
    probabilistic: bool = False
    """Whether members predict a deviation beside the mean, and imagined steps are drawn."""
    particles: int = 1
    """Imagined trajectories of each candidate, a multiple of `members`; each keeps its member."""
    reward: Literal["auto", "family", "learned"] = "auto"
    """What pays imagined steps: the family's reward where it offers one, else a learned one;
    `family` refuses a family that offers none, `learned` ignores what it offers."""
    stop_imagined: bool = True
    """Whether an imagined trajectory earns nothing more after a termination. (CartPole pays each
    step alike, and planners learn nothing from trajectories that go on, unless it is made with
    `planner_reward="cadm-2020"`: then they do go on, as the paper's.)"""
    iterations: int = 20
    """How often transitions are collected and the model is trained; the first are of random
    actions."""
    num_envs: int = 10
    """Environments that collect side by side, each episode on a new task."""
    steps_per_iteration: int | None = None
    """Steps collected in an iteration, of all environments together; by default an episode in
    each."""
    tasks_per_iteration: int | None = None
    """On how many training tasks, drawn anew for each iteration, its episodes are; by default on
    all. The original's CartPoles and Pendulums are copies of one, random numbers included, and so
    play the same tasks side by side: Pendulum, whose episodes last an iteration, one."""
    epochs: int = 5
    """How often training goes through all transitions so far, in each iteration."""
    batch_size: int = 256
    """Rows of an update; a row is a transition with a context."""
    learning_rate: float = 1e-3
    """Adam's."""
    weight_decay: float = 1.0
    """Scale of the paper's decays, 2.5e-5 for the first layer to 1e-4 for the last."""
    validation: float = 0.1
    """Share of the contexts that training leaves out, by whose loss it may stop early."""
    adaptation_rate: float = 0.01
    """Size of the step of gradient descent that adapts the model (`context = "gradient"`)."""
    planner: Literal["cem", "shooting"] | None = None
    """How controls are planned: the cross-entropy method, or random shooting; by default the first
    for continuous and the second for discrete actions. The original's cross-entropy has no discrete
    case; that it shot at random on CartPole is inferred from that."""
    horizon: int = 30
    """Steps that are imagined; at most an episode's are."""
    candidates: int = 200
    """Sequences that the planner looks at in each refinement."""
    elites: int = 50
    """The best of them, of which the next are drawn (shooting has none)."""
    refinements: int = 5
    """How often sequences are drawn; shooting draws as many in all, at once."""
    smoothing: float = 0.1
    """Share of the old mean and variance that a refinement keeps."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the networks while planning; states are added up in float32. bfloat16 is half as fast
    again where the processor has it."""
    fused: bool = False
    """Whether an imagined step is compiled (torch.compile, which needs a compiler), and on a GPU a
    whole plan is replayed as one CUDA graph. Worth its minute where launching kernels takes longer
    than running them: on a GPU."""

    def adapted(self, interface: "Interface") -> Self:
        """The settings with what depends on the episode's length and on the actions filled in.

        Raises:
            ConfigError: for values that are out of range, or do not go together.
            ContextError: for a `past` or `future` that is longer than an episode.
        """
        self._check_ranges()
        longest = interface.max_episode_steps
        continuous = isinstance(interface.action_space, spaces.Box)
        planner = self.planner or ("cem" if continuous else "shooting")
        steps = self.num_envs * (longest or UNKNOWN_HORIZON)
        settings = replace(
            self,
            past=_fitting("past", self.past, self._usual_past, longest and longest - 1),
            future=_fitting("future", self.future, self._usual_future, longest),
            planner=planner,
            horizon=min(self.horizon, longest or self.horizon),
            steps_per_iteration=self.steps_per_iteration or steps,
        )
        settings._check_together()
        return settings

    @property
    def _usual_past(self) -> int:
        return 1 if self.context == "none" else PAST

    @property
    def _usual_future(self) -> int:
        return 1 if self.context in ("none", "stacked") else FUTURE

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        assert self.steps_per_iteration is not None  # `adapted` has filled it
        return self.iterations * (self.steps_per_iteration // self.num_envs) * self.num_envs

    def _check_together(self) -> None:
        assert self.steps_per_iteration is not None
        if self.particles % self.members:
            raise ConfigError(
                f"particles is {self.particles} and members is {self.members}: each member needs "
                f"equally many. Give particles a multiple of {self.members}."
            )
        if self.planner == "cem" and self.elites > self.candidates:
            raise ConfigError(
                f"elites is {self.elites}, more than the {self.candidates} candidates that they "
                f"are the best of. Give at most {self.candidates} elites, or more candidates."
            )
        if self.steps_per_iteration < self.num_envs:
            raise ConfigError(
                f"steps_per_iteration is {self.steps_per_iteration}, less than a step for each of "
                f"{self.num_envs} environments (num_envs)."
            )
        if self.context == "gradient" and (self.members > 1 or self.probabilistic):
            raise ConfigError(
                "a model that gradient descent adapts has one deterministic member: give members 1 "
                "and probabilistic false."
            )

    def _check_ranges(self) -> None:
        counts = ("past", "future", "context_size", "members", "particles", "iterations")
        for name in (
            *(*counts, "num_envs", "steps_per_iteration", "tasks_per_iteration"),
            *("epochs", "batch_size"),
            *("horizon", "candidates", "elites", "refinements"),
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        for name in ("hidden", "encoder"):
            if any(size < 1 for size in getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; sizes must be at least 1.")
        for name in ("backward", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be finite and not negative."
                )
        for name in ("learning_rate", "adaptation_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive.")
        for name in ("validation", "smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1).")


def _fitting(name: str, given: int | None, usual: int, longest: int | None) -> int:
    """A number of transitions that fits into an episode; only the user's own is refused."""
    if given is None:
        return usual if longest is None else max(1, min(usual, longest))
    if longest is not None and given > max(1, longest):
        raise ContextError(
            f"{name} is {given}, but an episode has {longest} transitions that it could be made "
            f"of. Give at most {max(1, longest)}, or leave it out."
        )
    return given
