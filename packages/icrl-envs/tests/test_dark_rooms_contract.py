"""The dark rooms keep the laws of a family."""

from icrl.plugins.families import family_of
from icrl.testing.families import FamilyContract
from icrl_envs.plugin import icrl_families

SPECS = {spec.id: spec for spec in icrl_families()}
SMALL = {"size": (5, 3), "horizon": 7, "num_train_tasks": 9, "num_test_tasks": 3}


class RoomContract(FamilyContract):
    """An id's own rules, in a room of 5 x 3 with short episodes."""

    id: str
    arguments: dict = {}  # noqa: RUF012 (constant)

    def make_family(self):
        return family_of(SPECS[self.id], **SMALL, **self.arguments)


class TestDarkRoom(RoomContract):
    id = "icrl/DarkRoom-v0"


class TestDarkRoomOfCells(RoomContract):
    id = "icrl/DarkRoom-v0"
    arguments = {"observation": "cell", "start": "random"}  # noqa: RUF012


class TestDarkRoomHard(RoomContract):
    id = "icrl/DarkRoomHard-v0"


class TestDarkRoomTerminating(RoomContract):
    id = "icrl/DarkRoomTerminating-v0"
    arguments = {"start": "random"}  # noqa: RUF012


class TestDarkRoomCorner(RoomContract):
    id = "icrl/DarkRoom10x10Corner-v0"


class TestDarkKeyToDoor(RoomContract):
    id = "icrl/DarkKeyToDoor-v0"


class TestDarkKeyToDoorOfCells(RoomContract):
    id = "icrl/DarkKeyToDoor-v0"
    arguments = {"observation": "cell", "start": "centre"}  # noqa: RUF012


class TestDarkKeyToDoorTerminating(RoomContract):
    id = "icrl/DarkKeyToDoorTerminating-v0"


class TestDarkKeyToDoorShort(RoomContract):
    id = "icrl/DarkKeyToDoorShort-v0"
    first_observation_shows_task = True  # no episode opens on the key


class TestDarkKeyToDoorCorner(RoomContract):
    id = "icrl/DarkKeyToDoor10x10Corner-v0"


class TestDarkRoomPermuted(RoomContract):
    id = "icrl/DarkRoomPermuted-v0"


class TestDarkRoomPermutedOfCells(RoomContract):
    id = "icrl/DarkRoomPermuted-v0"
    arguments = {"observation": "cell"}  # noqa: RUF012


class TestDarkRoomMacro(RoomContract):
    id = "icrl/DarkRoomMacro-v0"
    arguments = {"macro_length": 2, "num_actions": 7}  # noqa: RUF012


class TestDarkRoomMacroOfPositions(RoomContract):
    id = "icrl/DarkRoomMacro-v0"
    arguments = {"observation": "position", "num_actions": 11}  # noqa: RUF012
