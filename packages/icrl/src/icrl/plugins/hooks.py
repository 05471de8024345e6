"""The hooks that a plugin may implement. Each returns specs, and imports nothing heavy."""

from icrl.plugins.markers import hookspec
from icrl.plugins.specs import AgentSpec, FamilySpec, SourceSpec


class Hooks:
    """What the host asks of each plugin."""

    @hookspec
    def icrl_families(self) -> list[FamilySpec]:
        """The environment families that the plugin provides."""
        raise NotImplementedError

    @hookspec
    def icrl_agents(self) -> list[AgentSpec]:
        """The agents that the plugin provides."""
        raise NotImplementedError

    @hookspec
    def icrl_sources(self) -> list[SourceSpec]:
        """The learning-history sources that the plugin provides."""
        raise NotImplementedError
