"""PlanningPolicy: plans with a frozen model, under the context of the episode so far."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl_cadm.controls import Controls
from icrl_cadm.history import History
from icrl_cadm.imagination import Adapted, Conditioned, Imagination, check_compiler
from icrl_cadm.model import DynamicsModel
from icrl_cadm.planning import planner
from icrl_cadm.replay import Replay
from icrl_cadm.states import FamilyRewards

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class PlanningContext:
    """What a planning policy carries through an episode."""

    history: History
    """The last transitions, [envs]."""
    state: Tensor
    """What was seen last, [envs, state numbers]."""
    solution: Tensor
    """What the next plan begins with, [envs, horizon, control numbers]."""


class PlanningPolicy(Policy[PlanningContext]):
    """At every step it plans anew and takes the plan's first control (model-predictive control).

    An episode's end clears the context: the original's does not outlive it either.
    """

    def __init__(
        self, model: DynamicsModel, controls: Controls, rewards: FamilyRewards | None
    ) -> None:
        """Keep a frozen copy of the model, in the precision that the settings name.

        Args:
            model: as trained so far.
            controls: how actions are vectors.
            rewards: the family's; None: the model's learned ones.
        """
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.model.networks.to(PRECISIONS[model.config.precision])
        self._controls, config = controls, model.config
        self._planner = planner(controls, config)
        kind = Adapted if config.context == "gradient" else Conditioned
        self.forecaster = kind(self.model)
        """The model as it plans."""
        self.imagination = Imagination(
            self.forecaster,
            rewards,
            particles=config.particles // config.members,
            stop=config.stop_imagined,
            fused=config.fused,
        )
        """What pays the sequences that it plans with."""
        on_a_gpu = model.inputs.mean.device.type == "cuda"
        self._replay = Replay() if config.fused and on_a_gpu else None

    def initial_context(self, num_envs: int) -> PlanningContext:
        """Nothing has happened yet.

        Raises:
            ConfigError: for `fused` where there is no compiler.
        """
        model, config = self.model, self.model.config
        if config.fused:
            check_compiler()
        assert config.past is not None  # `adapted` has filled it
        device = model.inputs.mean.device
        sizes = model.states.size, self._controls.width
        return PlanningContext(
            History.empty(num_envs, config.past, *sizes, device),
            torch.zeros(num_envs, sizes[0], device=device),
            self._planner.initial_solution(num_envs, device),
        )

    @torch.no_grad()
    def act(
        self, timestep: TimeStep, context: PlanningContext, generator: torch.Generator
    ) -> tuple[Tree, PlanningContext]:
        """The first control of a plan for each environment, as the environment's action."""
        context = self.told(timestep, context)
        known = (*context.history.tensors(), context.state, context.solution)
        if self._replay is None:
            control, solution = self._plan(known, generator)
        else:
            control, solution = self._replay(self._plan, known, generator)
        return self._controls.decoded(control), replace(context, solution=solution)

    def _plan(self, known: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Control and solution, of the fields of a history, the state and the last solution."""
        *history, state, solution = known
        score = self.imagination.score(History(*history), state, generator)
        return self._planner.plan(score, solution, generator)

    def told(self, timestep: TimeStep, context: PlanningContext) -> PlanningContext:
        """The context once it holds what the last action led to."""
        state = self.model.states.vectors(timestep.observation)
        opens = timestep.episode_start
        history = context.history.after(
            context.state, self._controls.encoded(timestep.action), state
        ).cleared(opens)
        solution = context.solution.masked_fill(opens[:, None, None], 0)
        return PlanningContext(history, state, solution)
