"""The ids of installed families, made known to Gymnasium when icrl is imported."""

from icrl.plugins.host import plugin_host
from icrl.registration import register_families


def register_installed() -> None:
    """Register the families of every plugin; one whose ids are taken is disabled."""
    host = plugin_host()
    for record in host.records:
        specs = [each.spec for each in host.families.values() if each.record is record]
        try:
            register_families(specs)
        except Exception as error:
            host.disable(record, error)
