"""The markers with which hooks are declared and implemented."""

import pluggy

hookspec = pluggy.HookspecMarker("icrl")
"""Declares a hook; only icrl itself does."""
hookimpl = pluggy.HookimplMarker("icrl")
"""Marks a plugin's implementation of a hook."""
