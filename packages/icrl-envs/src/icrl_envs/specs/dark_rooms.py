"""The ids of the dark rooms: each variant with published numbers has its own."""

from icrl.plugins.specs import FamilySpec

_AD = "arXiv:2210.14215"
_DICP = "arXiv:2502.19009"
_TARASOV = "arXiv:2502.17666"


def _dark_room(id: str, summary: str, paper: str, **arguments: object) -> FamilySpec:
    return _spec(id, "icrl_envs.dark_room:DarkRoom", summary, paper, arguments)


def _dark_key_to_door(id: str, summary: str, paper: str, **arguments: object) -> FamilySpec:
    return _spec(id, "icrl_envs.dark_key_to_door:DarkKeyToDoor", summary, paper, arguments)


def _spec(
    id: str, entry_point: str, summary: str, paper: str, arguments: dict[str, object]
) -> FamilySpec:
    return FamilySpec(
        id=id,
        entry_point=entry_point,
        arguments=arguments,
        summary=summary,
        paper=paper,
        default_source="q-learning",
        tags=("native", "grid"),
    )


def dark_rooms() -> list[FamilySpec]:
    """Dark Room and Dark Key-to-Door, also with actions whose meaning is hidden."""
    return [
        _dark_room(
            "icrl/DarkRoom-v0",
            "Find an unseen goal in a 9x9 room; it pays every step. 20 steps from the centre.",
            _AD,
        ),
        _dark_room(
            "icrl/DarkRoomHard-v0",
            "Dark Room of 17x17 whose goal pays once. 20 steps from the centre.",
            _AD,
            size=17,
            pays_every_step=False,
            trial_episodes=300,
        ),
        _dark_key_to_door(
            "icrl/DarkKeyToDoor-v0",
            "Find an unseen key, then the door, in a 9x9 room. 50 steps from a random cell.",
            _AD,
        ),
        _dark_room(
            "icrl/DarkRoomTerminating-v0",
            "Dark Room of 9x9 that ends on the goal: return is success. 70 goals train.",
            _TARASOV,
            terminates=True,
            num_test_tasks=11,
            trial_episodes=100,
        ),
        _dark_room(
            "icrl/DarkRoomHardTerminating-v0",
            "Dark Room Hard that ends on the goal, as toymeta and AD-eps have it.",
            "arXiv:2312.12275",
            size=17,
            terminates=True,
            trial_episodes=300,
        ),
        _dark_room(
            "icrl/DarkRoom10x10Corner-v0",
            "Dark Room of 10x10 from the corner, 100 steps, as in DPT and RA-DT. 80 goals train.",
            "arXiv:2306.14892",
            size=10,
            horizon=100,
            start="corner",
            trial_episodes=40,
        ),
        _dark_room(
            "icrl/DarkRoom15x15-v0",
            "Dark Room of 15x15, 50 steps from the centre: Darkroom-Large of DICP and LHF.",
            _DICP,
            size=15,
            horizon=50,
            num_test_tasks=22,
            trial_episodes=100,
        ),
        _dark_room(
            "icrl/DarkRoom19x19Terminating-v0",
            "Dark Room of 19x19 that ends on the goal, 100 steps. 300 goals train.",
            _TARASOV,
            size=19,
            horizon=100,
            terminates=True,
            num_test_tasks=61,
            trial_episodes=100,
        ),
        _dark_key_to_door(
            "icrl/DarkKeyToDoorTerminating-v0",
            "Dark Key-to-Door of 9x9 that ends at the door, as toymeta has it.",
            _TARASOV,
            terminates=True,
            num_train_tasks=1000,
            num_test_tasks=100,
        ),
        _dark_key_to_door(
            "icrl/DarkKeyToDoor13x13Terminating-v0",
            "Dark Key-to-Door of 13x13 that ends at the door, 100 steps.",
            _TARASOV,
            size=13,
            horizon=100,
            terminates=True,
            num_train_tasks=1000,
            num_test_tasks=100,
        ),
        _dark_key_to_door(
            "icrl/DarkKeyToDoorShort-v0",
            "Dark Key-to-Door of AD-eps: 40 steps, ends at the door, never starts on the key.",
            "arXiv:2312.12275",
            horizon=40,
            start="random-off-key",
            terminates=True,
            num_train_tasks=1000,
            num_test_tasks=200,
        ),
        _dark_key_to_door(
            "icrl/DarkKeyToDoor10x10Corner-v0",
            "Dark Key-to-Door of RA-DT: 10x10 from the corner, 100 steps, the door keeps paying.",
            "arXiv:2410.07071",
            size=10,
            horizon=100,
            start="corner",
            pays_every_step=True,
            num_train_tasks=80,
            num_test_tasks=20,
            trial_episodes=40,
        ),
        _spec(
            "icrl/DarkRoomPermuted-v0",
            "icrl_envs.dark_room_permuted:DarkRoomPermuted",
            "Dark Room of 9x9 with a known goal and permuted actions. 50 steps from the corner.",
            _DICP,
            {},
        ),
        _spec(
            "icrl/DarkRoomMacro-v0",
            "icrl_envs.dark_room_macro:DarkRoomMacro",
            "Dark Room of 9x9 with 50 actions of three moves; it ends on the goal. 20 steps.",
            "arXiv:2312.13327",
            {},
        ),
    ]
