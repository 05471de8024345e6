"""What the core itself provides, as a plugin like any other."""

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import AgentSpec


@hookimpl
def icrl_agents() -> list[AgentSpec]:
    """The agent that every other one is compared with."""
    return [
        AgentSpec(
            name="random",
            entry_point="icrl.random_agent:RandomAgent",
            learns="nothing",
            memory="none",
            companions=("source", "optimum"),
            summary="Draws every action uniformly from the action space.",
        )
    ]
