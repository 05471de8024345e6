"""CaDM: context-aware dynamics models (Lee et al. 2020, arXiv:2005.06800)."""
