"""Probing: a model whose context is an embedding of an episode's first, random transitions.

After Zhou, Pinto and Gupta 2019, "Environment Probing Interaction Policies", arXiv:1907.11740.
Their probes are a policy's that learns to make an embedding predictive, and the task is reset after
them; the row of Lee et al. 2020 that compares with it was not released. Here probes are uniformly
random, and are the first steps of the very episode, so that what they cost is counted.
"""

from dataclasses import replace

from icrl.families import TaskFamily
from icrl.run import Run
from icrl.training_view import training_pool
from icrl_cadm.collecting import at_random, collect
from icrl_cadm.fitting import fit
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.transitions import Transitions


def learn_to_embed(agent: CaDMAgent, family: TaskFamily, run: Run) -> None:
    """Train an agent's model on as many transitions as CaDM collects, all of random actions, each
    under the opening of its episode; a killed run goes on from the last whole round.

    Every round fits all of them, where an iteration of CaDM fits those so far: half as many rounds
    make as many updates.

    Raises:
        SpaceError: for observations that are not finite, naming environment and step.
        ConfigError: if there is a checkpoint of other settings, tasks or another seed.
    """
    training = agent.training(run)
    if training.transitions is None:
        training.transitions = _played(agent, family, run)
    openings = replace(training.transitions, opening=True)
    rounds = (agent.config.iterations + 1) // 2
    with run.progress(rounds, "embedding", done=training.iteration, unit="round") as advance:
        while training.iteration < rounds:
            generator = run.generator(f"fitting {training.iteration}", agent.device)
            losses = fit(agent.model, training.optimizer, openings, generator)
            training.iteration += 1
            training.log({f"loss/{name}": loss for name, loss in losses.items()})
            training.save()
            advance(1, loss=losses["forward"])


def _played(agent: CaDMAgent, family: TaskFamily, run: Run) -> Transitions:
    """Episodes of random actions."""
    config = agent.config
    env = agent.environment(family, training_pool(family, seed=run.seed))
    try:
        with run.progress(config.total_steps, "probing", unit="step") as advance:
            transitions, _ = collect(
                env,
                at_random(agent.controls),
                config.total_steps // config.num_envs,
                seed=run.seed,
                states=agent.states,
                controls=agent.controls,
                validation=config.validation,
                advance=advance,
            )
    finally:
        env.close()
    return transitions
