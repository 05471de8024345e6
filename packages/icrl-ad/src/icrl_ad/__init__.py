"""Algorithm Distillation and Expert Distillation (Laskin et al. 2022, arXiv:2210.14215)."""
