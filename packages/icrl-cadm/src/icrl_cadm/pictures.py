"""Pictures of what a trained model has learned of its family's dynamics.

    python -m icrl_cadm.pictures runs/cadm --out runs/cadm/pictures

`prediction-error.png`: how far an open-loop forecast is off after 1, 2, ... steps, in each split,
of one run or several; `context.png`: the learned context, coloured by the true parameters of the
tasks; `imagined.png`: imagined beside real trajectories. Of several runs, the last two are of the
first one.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from icrl.agent import Agent
from icrl.cli.options import count
from icrl.errors import EXIT_DONE, IcrlError, UsageError
from icrl.families import TaskFamily
from icrl.plugins.families import make_family
from icrl.trained import load_agent
from icrl_cadm.config import UNKNOWN_HORIZON
from icrl_cadm.drawing import draw_contexts, draw_errors, draw_trajectories
from icrl_cadm.forecasts import Forecast, Played, Trajectory, contexts
from icrl_cadm.learning import CaDMAgent


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the pictures that the command line asks for; 0 if it could be done."""
    options = parsed(argv)
    try:
        agents = {name: planning_agent(run, options.device) for name, run in named(options.runs)}
        written = draw(agents, options)
    except IcrlError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    sys.stdout.writelines(f"{path}\n" for path in written)
    return EXIT_DONE


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m icrl_cadm.pictures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="of one family")
    parser.add_argument("--out", type=Path, required=True, help="where the pictures go")
    parser.add_argument("--planned", action="store_true", help="plan in place of random actions")
    parser.add_argument("--tasks", type=count, default=50, help="of each split, at most")
    parser.add_argument("--steps", type=count, help="of each task; by default an episode's")
    parser.add_argument("--horizon", type=count, default=30, help="steps of a forecast")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


def named(runs: Sequence[Path]) -> list[tuple[str, Path]]:
    """Runs by their directories' names, with as many parents as tell them apart."""
    whole = [run.resolve().parts for run in runs]
    longest = max(map(len, whole))
    kept = next((n for n in range(1, longest) if len({p[-n:] for p in whole}) == len(whole)), 1)
    return [("/".join(parts[-kept:]), run) for parts, run in zip(whole, runs, strict=True)]


def planning_agent(run: Path, device: str) -> CaDMAgent:
    """The agent whose model a run trained, or took its context from.

    Raises:
        UsageError: if there is none.
    """
    agent: Agent = load_agent(run, device)
    if getattr(agent.config, "embeds_openings", False):
        raise UsageError(
            f"{run} holds a model that embeds the first transitions of an episode; what is drawn "
            "here is of models that follow the latest. Give a run of another agent."
        )
    agent = getattr(agent, "dynamics", agent)
    if not isinstance(agent, CaDMAgent):
        raise UsageError(
            f"{run} holds no model of the dynamics. Give a run of an agent of icrl-cadm that plans "
            "or takes its context from a model: cadm, vanilla-cadm, ppo-cadm, ..."
        )
    return agent


def draw(agents: Mapping[str, CaDMAgent], options: argparse.Namespace) -> list[Path]:
    """Draw what can be drawn; a model without a context has no picture of it."""
    first, family = next(iter(agents.values())), common_family(agents)
    played = recorded(first, family, options)
    past = max(agent.config.past or 1 for agent in agents.values())
    starts = {split: each.starts(past) for split, each in played.items()}
    scale = {split: each.transitions.state.std(0) for split, each in played.items()}
    horizon = min(options.horizon, family.max_episode_steps or options.horizon)
    forecasts = {
        name: {
            split: Forecast.of(agent, each.transitions, starts[split], horizon)
            for split, each in played.items()
        }
        for name, agent in agents.items()
    }
    errors = {
        name: {split: each.errors(scale[split]).cpu().numpy() for split, each in by_split.items()}
        for name, by_split in forecasts.items()
    }
    draw_errors(family.id, errors, options.out / "prediction-error.png")
    trajectories = {
        split: Trajectory.of(first, each, past, horizon) for split, each in played.items()
    }
    draw_trajectories(family.id, trajectories, options.out / "imagined.png")
    written = [options.out / "prediction-error.png", options.out / "imagined.png"]
    if first.model.width:
        written.append(options.out / "context.png")
        inferred = {
            split: contexts(first, each.transitions, starts[split])
            for split, each in played.items()
        }
        tasks = {
            split: each.tasks[each.task(starts[split]).cpu()] for split, each in played.items()
        }
        draw_contexts(family.id, inferred, tasks, written[-1])
    return written


def recorded(
    agent: CaDMAgent, family: TaskFamily, options: argparse.Namespace
) -> dict[str, Played]:
    """What happens on tasks of each split."""
    return {
        split: Played.by(
            agent,
            family,
            split,
            num_tasks=options.tasks,
            steps=options.steps or family.max_episode_steps or UNKNOWN_HORIZON,
            planned=options.planned,
            seed=0,
        )
        for split in shown_splits(family.splits)
    }


def shown_splits(splits: Sequence[str]) -> list[str]:
    """All splits, but for `test` where others stand for its parts."""
    return [split for split in splits if split != "test" or len(splits) == 2]


def common_family(agents: Mapping[str, CaDMAgent]) -> TaskFamily:
    """The family that all agents were trained on.

    Raises:
        UsageError: if they were trained on several.
    """
    families = {
        (agent.interface.family, str(dict(agent.interface.arguments))): agent.interface
        for agent in agents.values()
    }
    if len(families) > 1:
        raise UsageError(
            f"these runs are of {len(families)} families: {sorted(families)}. Give runs of one."
        )
    (interface,) = families.values()
    return make_family(interface.family, **interface.arguments)


if __name__ == "__main__":
    sys.exit(main())
