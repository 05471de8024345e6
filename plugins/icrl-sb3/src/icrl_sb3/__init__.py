"""Stable-Baselines3's learners, trained on a family's training tasks, as agents for icrl."""
