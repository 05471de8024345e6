"""Images that are classified by reinforcement."""

from icrl.plugins.specs import FamilySpec


def classification() -> list[FamilySpec]:
    """Sequential classification, of LEEP's introduction."""
    return [
        FamilySpec(
            id="icrl/SequentialClassification-v0",
            entry_point="icrl_envs.sequential_classification:SequentialClassification",
            summary="Guess what an image shows until right; -1 for each wrong guess, 20 guesses.",
            paper="arXiv:2107.06277",
            default_source="sb3",
            tags=("native", "classification"),
        )
    ]
