"""Random tabular MDPs."""

from icrl.plugins.specs import FamilySpec


def tabular() -> list[FamilySpec]:
    """RL²'s tabular MDPs; the length of a trial is the evaluation's."""
    return [
        FamilySpec(
            id="icrl/TabularMDP-v0",
            entry_point="icrl_envs.tabular_mdp:TabularMDP",
            summary="A random MDP of 10 states and 5 actions; episodes of 10 steps.",
            paper="arXiv:1611.02779",
            default_source="q-learning",
            tags=("native", "tabular"),
        )
    ]
