"""The plugin host: finds what is installed; one broken plugin never takes down the rest."""

from icrl.plugins.families import load_entry_point, make_family
from icrl.plugins.host import API_VERSION, PluginHost, Provided, Record, blamed, plugin_host
from icrl.plugins.lookup import agent_spec, family_spec, source_spec
from icrl.plugins.markers import hookimpl, hookspec
from icrl.plugins.specs import AgentSpec, FamilySpec, SourceSpec

__all__ = [
    "API_VERSION",
    "AgentSpec",
    "FamilySpec",
    "PluginHost",
    "Provided",
    "Record",
    "SourceSpec",
    "agent_spec",
    "blamed",
    "family_spec",
    "hookimpl",
    "hookspec",
    "load_entry_point",
    "make_family",
    "plugin_host",
    "source_spec",
]
