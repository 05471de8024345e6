"""LEEP: linked ensembles for the epistemic POMDP (Ghosh et al. 2021, arXiv:2107.06277)."""
