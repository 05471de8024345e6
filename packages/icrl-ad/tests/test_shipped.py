"""The weights that come with the package."""

import icrl


def test_the_shipped_agent_finds_goals_that_it_never_saw():
    agent = icrl.load_agent("ad:icrl/DarkRoom-v0")
    family = icrl.make_family("icrl/DarkRoom-v0")
    tasks = family.sample_tasks(16, split="test", seed=0)
    returns = icrl.evaluate(agent.policy(), family.vector_env(tasks), episodes=40, seed=0).returns
    assert returns[:, 0].mean() < 3
    assert returns[:, 30:].mean() > 12
