"""Model-free agents: PPO, told what the episode's transitions tell (Lee et al. 2020)."""
