"""Classical algorithms for bandits and tabular MDPs, as in-context learners."""
