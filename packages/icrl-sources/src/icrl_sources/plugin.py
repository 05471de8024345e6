"""What icrl-sources provides; imports nothing heavy."""

from icrl.plugins import SourceSpec, hookimpl


@hookimpl
def icrl_sources() -> list[SourceSpec]:
    """The recorder of Stable-Baselines3, and batched tabular Q-learning."""
    return [
        SourceSpec(
            name="sb3",
            entry_point="icrl_sources.sb3:SB3Source",
            config="icrl_sources.sb3_config:SB3Config",
            presets="icrl_sources:sb3_presets.toml",
            summary="any algorithm of stable-baselines3 or sb3-contrib, unmodified",
            paper="https://jmlr.org/papers/v22/20-1364.html",
        ),
        SourceSpec(
            name="q-learning",
            entry_point="icrl_sources.q_learning:QLearningSource",
            config="icrl_sources.q_learning_config:QLearningConfig",
            presets="icrl_sources:q_learning_presets.toml",
            summary="tabular Q-learning, thousands of learners at once on the device",
            paper="doi:10.1007/BF00992698",
        ),
    ]
