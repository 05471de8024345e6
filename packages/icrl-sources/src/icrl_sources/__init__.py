"""Learning-history sources of icrl: Stable-Baselines3 and batched tabular learners."""
