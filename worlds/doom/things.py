"""Things of the game by their type numbers: what stands about, what shines, what is picked up, what bites."""

LAMP, CANDLE, CANDELABRA = 2028, 34, 35
TALL_GREEN, SHORT_GREEN, TALL_RED, SHORT_RED, SKULL_PILLAR = 30, 31, 32, 33, 37
GREY_TREE, BROWN_TREE, STUMP, TECH_PILLAR = 43, 54, 47, 48
SKULL_POLE, SKULLS_POLE, IMPALED = 27, 28, 25
BLOODY_MESS, POOL_OF_BLOOD = 10, 24  # these do not block

PLAYER_START = 1
TORCHES = (44, 45, 46, 55, 56, 57, 85, 86, 70, 41)  # animated, and they block
PICKUPS = (2011, 2012, 2014, 2015, 2018, 2007, 2008, 2048, 2049, 2013, 8)  # animated or taken away
MONSTERS = (3004, 9, 3001, 3002, 3004, 3001)

# The same monsters, but for what they do on seeing or feeling the player: nothing. In the game's language of actors.
CALM = "\n".join(
    f"actor Calm{name} : {name} replaces {name} {{ states {{\n"
    f"See:\n{sprite} AB 10\nloop\nPain:\n{sprite} {hurt} 6\ngoto See\n}} }}"
    for name, sprite, hurt in (
        ("ZombieMan", "POSS", "G"),
        ("ShotgunGuy", "SPOS", "G"),
        ("DoomImp", "TROO", "H"),
        ("Demon", "SARG", "H"),
    )
)

_RADII = {BROWN_TREE: 32}  # map units; most others have 16
_LOOSE = {CANDLE, BLOODY_MESS, POOL_OF_BLOOD, PLAYER_START, *PICKUPS, *MONSTERS}


def radius(kind: int) -> int:
    """Half the width of a thing, map units."""
    return _RADII.get(kind, 16)


def blocks(kind: int) -> bool:
    """Whether a thing stands in a player's way for good."""
    return kind not in _LOOSE
