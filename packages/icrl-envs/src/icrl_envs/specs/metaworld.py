"""The ids of Meta-World's benchmarks of meta-reinforcement learning, an extra."""

from icrl.plugins.specs import FamilySpec

_SUMMARIES = {
    "ML1": "A robot arm whose goal is untold, in one of Meta-World's environments. 500 steps.",
    "ML10": "A robot arm: ten of Meta-World's environments train, five others test. 500 steps.",
    "ML45": "A robot arm: 45 of Meta-World's environments train, five others test. 500 steps.",
}


def metaworld() -> list[FamilySpec]:
    """Meta-World's benchmarks whose goals are hidden."""
    return [
        FamilySpec(
            id=f"icrl/MetaWorld{benchmark}-v0",
            entry_point=f"icrl_envs.meta_world:MetaWorld{benchmark}",
            summary=summary,
            paper="arXiv:1910.10897",
            default_source="sb3",
            tags=("wrapped", "continuous", "extra"),
        )
        for benchmark, summary in _SUMMARIES.items()
    ]
