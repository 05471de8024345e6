"""Learning histories: the store, the recorder that fills it, and the windows that agents learn
from.
"""

from icrl.histories.collection import collect, shard_seed
from icrl.histories.manifest import Manifest, Plan
from icrl.histories.recorder import HistoryRecorder
from icrl.histories.store import HistoryStore
from icrl.histories.summary import StoreSummary
from icrl.histories.windows import WindowRows, Windows, WindowSampler, timesteps

__all__ = [
    "HistoryRecorder",
    "HistoryStore",
    "Manifest",
    "Plan",
    "StoreSummary",
    "WindowRows",
    "WindowSampler",
    "Windows",
    "collect",
    "shard_seed",
    "timesteps",
]
