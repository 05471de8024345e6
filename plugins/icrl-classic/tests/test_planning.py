"""Value iteration in a world of two states, worked out by hand.

 stay: 1            stay: 3
,---.              ,---.
v   |   cross: 0   v   |       crossing from 0 succeeds in half of the cases,
(0) ------1/2----> (1)         else it stays; back from 1 it always succeeds
 ^------ cross: 0 ---'
"""

import torch

from icrl_classic.planning import optimistic_plan, plan

STAY_AT_0, CROSS_FROM_0 = [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]
STAY_AT_1, CROSS_FROM_1 = [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]
TRANSITION = torch.tensor([[[STAY_AT_0, CROSS_FROM_0], [STAY_AT_1, CROSS_FROM_1]]])
REWARD = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])
END = torch.tensor([0.0, 0.0, 1.0])


def optimistic_mean(chances, values, slack):
    """The definition: move half of the slack onto the best outcome, from the worst upwards."""
    chances = chances.clone()
    order = values.argsort().tolist()
    to_move = min(slack / 2, 1 - float(chances[order[-1]]))
    chances[order[-1]] += to_move
    for outcome in order[:-1]:
        taken = min(to_move, float(chances[outcome]))
        chances[outcome] -= taken
        to_move -= taken
    return float(chances @ values)


# Stories


def test_a_plan_is_what_comes_out_by_hand():
    expected = [
        [[3.0, 4.0], [9.0, 2.0]],  # three steps left: 4 = (2 + 6) / 2, so crossing is best
        [[2.0, 2.0], [6.0, 1.0]],  # two steps left: 2 = 1 + 1 = (1 + 3) / 2
        [[1.0, 0.0], [3.0, 0.0]],  # the last step
    ]
    assert plan(TRANSITION, REWARD, 3).tolist() == [expected]


def test_nothing_is_earned_after_the_end():
    transition = TRANSITION.clone()
    transition[0, 1, 0] = END  # staying at 1 ends the episode
    assert plan(transition, REWARD, 2)[0, 0].tolist() == [[2.0, 2.0], [3.0, 1.0]]


def test_a_bonus_ahead_counts_for_each_step_that_remains():
    bonus = torch.zeros_like(REWARD)
    bonus[0, 0, 1] = 5.0
    worth = plan(TRANSITION, REWARD, 3, bonus_ahead=bonus)
    assert worth[0, :, 0, 1].tolist() == [6.5 + 10, 2 + 5, 0]  # 6.5 = (7 + 6) / 2


def test_optimism_moves_half_of_the_slack_to_the_better_state():
    worth = optimistic_plan(TRANSITION, REWARD, torch.full_like(REWARD, 0.4), 2)
    # Crossing from 0 now succeeds in 0.7 of the cases, staying at 0 leads to 1 in 0.2 of them.
    torch.testing.assert_close(worth[0, 0], torch.tensor([[2.4, 2.4], [6.0, 1.4]]))


def test_without_slack_optimism_is_a_plan():
    worth = optimistic_plan(TRANSITION, REWARD, torch.zeros_like(REWARD), 3)
    torch.testing.assert_close(worth, plan(TRANSITION, REWARD, 3))


def test_with_all_slack_everything_leads_to_the_best_state():
    worth = optimistic_plan(TRANSITION, REWARD, torch.full_like(REWARD, 2.0), 2)
    assert worth[0, 0].tolist() == [[4.0, 3.0], [6.0, 3.0]]


def test_optimism_agrees_with_its_definition_in_random_worlds():
    generator = torch.Generator().manual_seed(0)
    chances = torch.rand(7, 5, 3, 6, generator=generator)
    chances /= chances.sum(-1, keepdim=True)
    reward = torch.randn(7, 5, 3, generator=generator)
    slack = 1.5 * torch.rand(7, 5, 3, generator=generator)
    worth = optimistic_plan(chances, reward, slack, 2)[:, 0]
    for env, state, action in ((0, 0, 0), (3, 4, 2), (6, 2, 1), (5, 1, 0)):
        place = env, state, action
        values = torch.cat([reward[env].amax(-1), torch.zeros(1)])
        ahead = optimistic_mean(chances[place], values, float(slack[place]))
        torch.testing.assert_close(worth[place], reward[place] + ahead)


def test_an_end_that_is_impossible_is_not_hoped_for():
    all_cost = torch.full_like(REWARD, -1.0)
    worth = optimistic_plan(TRANSITION, all_cost, torch.full_like(REWARD, 2.0), 2)
    assert worth[0, 0].tolist() == [[-2.0, -2.0], [-2.0, -2.0]]
    may_end = TRANSITION.clone()
    may_end[0, 0, 0] = END
    worth = optimistic_plan(may_end, all_cost, torch.full_like(REWARD, 2.0), 2)
    assert worth[0, 0].tolist() == [[-1.0, -1.0], [-1.0, -1.0]]
