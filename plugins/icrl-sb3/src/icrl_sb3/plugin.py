"""What this package provides."""

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import AgentSpec
from icrl_sb3.learners import LEARNERS, Learner


@hookimpl
def icrl_agents() -> list[AgentSpec]:
    """One agent in as many names as there are learners: they differ in the algorithm."""
    return [_agent(learner) for learner in LEARNERS]


def _agent(learner: Learner) -> AgentSpec:
    return AgentSpec(
        name=learner.name,
        entry_point="icrl_sb3.learning:SB3Agent",
        config="icrl_sb3.config:SB3AgentConfig",
        presets=f"icrl_sb3:presets/{learner.kind}.toml",
        settings={"algorithm": learner.algorithm},
        learns="interaction",
        memory="episode" if learner.kind == "recurrent" else "none",
        companions=("random", "optimum"),
        summary=f"{learner.title}, trained on the training tasks.",
        paper=learner.paper,
    )
