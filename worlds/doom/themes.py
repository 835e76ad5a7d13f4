"""What rooms are made of: Freedoom textures, flats and things, by style. Nothing here is animated."""

from __future__ import annotations

from dataclasses import dataclass

from worlds.doom.things import (
    BLOODY_MESS,
    BROWN_TREE,
    CANDELABRA,
    CANDLE,
    GREY_TREE,
    IMPALED,
    LAMP,
    POOL_OF_BLOOD,
    SHORT_GREEN,
    SHORT_RED,
    SKULL_PILLAR,
    SKULL_POLE,
    SKULLS_POLE,
    STUMP,
    TALL_GREEN,
    TALL_RED,
    TECH_PILLAR,
)


@dataclass(frozen=True)
class Theme:
    """One style of room.

    walls: one is drawn for a room, sometimes two. panels: (texture, width) set into a wall as a landmark.
    props: thing types that stand on the floor and block; scatter: thing types that do not block.
    """

    walls: tuple[str, ...]
    trims: tuple[str, ...]
    floors: tuple[str, ...]
    ceilings: tuple[str, ...]
    panels: tuple[tuple[str, int], ...]
    pillars: tuple[str, ...]
    props: tuple[int, ...]
    scatter: tuple[int, ...] = ()
    pools: tuple[str, ...] = ("FLAT14", "CEIL4_3", "SLIME14", "GRASS1", "FLOOR6_1")


THEMES: tuple[Theme, ...] = (
    Theme(  # base, grey and clean
        walls=("GRAY1", "GRAY5", "GRAY7", "GRAYBIG", "ICKWALL1", "ICKWALL3", "CEMENT3", "CEMENT6", "GRAYTALL"),
        trims=("SUPPORT2", "LITEBLU4", "CEMENT8", "GRAYRED"),
        floors=("FLOOR0_3", "FLOOR0_6", "FLAT3", "FLAT20", "AQF050", "AQF052", "FLAT9"),
        ceilings=("FLAT1", "FLAT19", "FLAT18", "CEIL3_5"),
        panels=(("GRAYPOIS", 64), ("GRAY2", 64), ("CEMENT4", 128), ("CEMPOIS", 128), ("SW1GRAY", 64), ("CEMENT2", 128)),
        pillars=("SUPPORT2", "LITEMET", "GRAYRED", "GRAYWARN"),
        props=(LAMP, TECH_PILLAR),
    ),
    Theme(  # station, tan
        walls=("STARTAN2", "STARTAN3", "STARBR2", "STARTAN1", "STARBR1"),
        trims=("SUPPORT3", "BROWN96", "METAL1"),
        floors=("FLOOR4_8", "FLOOR5_1", "FLOOR5_2", "FLAT5", "AQF047"),
        ceilings=("CEIL3_1", "CEIL3_2", "FLOOR7_1", "CEIL5_1"),
        panels=(("COMPTALL", 128), ("SW1STRTN", 64), ("LITE96", 64), ("COMPUTE3", 128)),
        pillars=("COMPTALL", "LITE2", "SUPPORT3"),
        props=(LAMP, TECH_PILLAR),
    ),
    Theme(  # station, green and grey
        walls=("STARG1", "STARG2", "STARG3", "STARGR1", "STARGR2", "STARG4"),
        trims=("SUPPORT2", "SHAWN2", "METAL2"),
        floors=("FLOOR7_2", "FLAT5_5", "FLAT5_4", "AQF046", "SLIME16", "FLAT23"),
        ceilings=("FLAT1", "CEIL3_5", "COMP01"),
        panels=(("COMPSTA1", 128), ("COMPSTA2", 128), ("COMP2", 128), ("SILVER3", 64), ("PLANET1", 128)),
        pillars=("SILVER2", "SHAWN2", "TEKGREN5"),
        props=(LAMP, TECH_PILLAR),
    ),
    Theme(  # brick, red and pale
        walls=("BRICK11", "BRICK12", "ZZWOLF11", "BRICK6", "BRICK7", "A-BROCK2", "STONEW5"),
        trims=("BRICKLIT", "METAL1", "STONE"),
        floors=("FLAT8", "FLOOR0_2", "AQF047", "AQF048", "RROCK14", "RROCK12"),
        ceilings=("FLAT5_2", "CEIL1_1", "FLOOR0_1"),
        panels=(("ZZWOLF12", 128), ("ZZWOLF13", 128), ("SW1BRIK", 64), ("BRICKLIT", 64)),
        pillars=("BRICK8", "ZZWOLF9", "STONE6", "PILLAR"),
        props=(CANDELABRA, TALL_RED, SHORT_RED, LAMP),
        scatter=(CANDLE,),
    ),
    Theme(  # green marble
        walls=("MARBLE1", "MARBLE2", "MARBLE3", "GSTONE1", "A-MARBLE", "A-TILE"),
        trims=("MARBLOD1", "GSTLION", "METAL"),
        floors=("DEM1_5", "DEM1_6", "RROCK19", "FLOOR7_2", "RROCK20"),
        ceilings=("DEM1_5", "DEM1_6", "FLAT5_2", "CEIL1_1"),
        panels=(
            ("MARBFACE", 128),
            ("MARBFAC2", 128),
            ("MARBFAC3", 128),
            ("GSTLION", 64),
            ("GSTGARG", 64),
            ("GSTSATYR", 64),
            ("SP_DUDE5", 64),
            ("MTNT1", 128),
        ),  # fmt: skip
        pillars=("GSTVINE1", "MARBFAC4", "MARBGRAY", "SP_ROCK1"),
        props=(TALL_GREEN, SHORT_GREEN, CANDELABRA, SKULL_PILLAR),
        scatter=(CANDLE,),
    ),
    Theme(  # wood
        walls=("WOOD1", "WOOD3", "WOOD5", "WOOD12", "PANEL4", "PANCASE1", "A-MYWOOD", "WOODVERT", "TANROCK3"),
        trims=("WOODMET1", "PANBORD1", "WOOD6"),
        floors=("FLOOR0_1", "FLAT5_1", "FLOOR5_4", "AQF006", "CEIL1_1"),
        ceilings=("CEIL1_1", "FLAT5_2", "CEIL3_3"),
        panels=(
            ("PANEL1", 64),
            ("PANEL2", 64),
            ("PANBOOK", 64),
            ("PANRED", 64),
            ("PANBLUE", 64),
            ("PANBLACK", 64),
            ("WOODGARG", 64),
            ("ZZWOLF7", 128),
            ("ZZWOLF6", 128),
        ),  # fmt: skip
        pillars=("WOOD10", "PANEL3", "PANCASE2", "WOOD4"),
        props=(CANDELABRA, SHORT_RED, SHORT_GREEN),
        scatter=(CANDLE,),
    ),
    Theme(  # caves and cliffs
        walls=(
            "ROCK4",
            "ROCK5",
            "TANROCK2",
            "TANROCK5",
            "TANROCK8",
            "ZIMMER5",
            "SP_ROCK1",
            "STONE6",
            "BSTONE1",
            "CARLLF1",
        ),  # fmt: skip
        trims=("ROCK3", "SUPPORT3", "BSTONE3"),
        floors=("RROCK16", "RROCK11", "RROCK18", "FLAT10", "MFLR8_2", "RROCK09"),
        ceilings=("RROCK13", "RROCK17", "RROCK16", "FLAT5_7"),
        panels=(("BSTONE3", 64), ("STONE7", 64), ("BROVINE2", 128), ("CAVERN5", 64), ("SP_FACE1", 128)),
        pillars=("ROCK5", "STONE5", "BSTONE2", "ZZWOLF1"),
        props=(STUMP, GREY_TREE, BROWN_TREE),
    ),
    Theme(  # gardens
        walls=("ZIMMER1", "ZIMMER2", "ZIMMER7", "A-CAMO4", "A-MOSRK2", "A-MOSBRI", "BROVINE2", "GRAYVINE", "SMSTONE6"),
        trims=("GSTONE1", "STONE4", "BROWNGRN"),
        floors=("GRASS1", "GRASS2", "AQF022", "RROCK20", "RROCK19", "AQF048"),
        ceilings=("CEIL5_2", "FLAT10", "GRASS1"),
        panels=(("GSTVINE1", 128), ("A-VINES", 128), ("SW1VINE", 64), ("SW1ZIM", 64), ("A-CAMO3", 128)),
        pillars=("STONE4", "GSTONE1", "A-CAMO1", "BROVINE"),
        props=(BROWN_TREE, GREY_TREE, STUMP, TALL_GREEN),
    ),
    Theme(  # machines
        walls=(
            "TEKWALL1",
            "TEKWALL4",
            "COMPSPAN",
            "TEKGREN2",
            "TEKGREN1",
            "TEKBRON1",
            "PIPES",
            "SPACEW4",
            "METAL2",
            "PIPEWAL1",
        ),  # fmt: skip
        trims=("TEKGREN5", "METAL6", "LITEYEL1", "SUPPORT3"),
        floors=("FLAT4", "FLAT22", "AQF027", "AQF016", "FLOOR1_7", "CEIL4_3", "AQF018"),
        ceilings=("CEIL5_1", "AQF054", "CEIL3_5", "FLAT4"),
        panels=(
            ("COMPSTA1", 128),
            ("COMPSTA2", 128),
            ("COMPUTE1", 128),
            ("PLANET1", 128),
            ("COMPWERD", 64),
            ("LITEYEL3", 128),
            ("SILVER2", 64),
            ("ZZZFACE4", 128),
            ("ZZZFACE5", 128),
        ),  # fmt: skip
        pillars=("SILVER2", "LITEYEL3", "LITEBLU4", "COMPBLUE"),
        props=(TECH_PILLAR, LAMP),
    ),
    Theme(  # silver and blue
        walls=("SHAWN2", "SILVER1", "ZZWOLF9", "COMPBLUE", "SILVER3", "COMPTILE", "COMPOHSO"),
        trims=("LITEBLU4", "SUPPORT2", "SHAWN3"),
        floors=("FLAT14", "FLAT23", "FLOOR1_1", "FLAT17", "CEIL4_3", "AQF035"),
        ceilings=("FLAT23", "FLAT19", "COMP01", "CEIL4_3"),
        panels=(("SHAWN1", 128), ("DOC1", 128), ("TNTDOOR", 128), ("SILVER2", 64), ("BTNTSLVR", 64)),
        pillars=("SHAWN2", "LITEBLU4", "COMPBLUE", "SILVER2"),
        props=(LAMP, TECH_PILLAR),
    ),
    Theme(  # hell
        walls=(
            "SP_HOT1",
            "SKIN2",
            "REDWALL",
            "SKINEDGE",
            "SKINMET1",
            "CRACKLE2",
            "SKSNAKE1",
            "SKULWALL",
            "A-REDROK",
            "SKSNAKE2",
        ),  # fmt: skip
        trims=("SKINTEK1", "SK_LEFT", "METAL"),
        floors=("FLOOR6_1", "FLAT5_3", "RROCK04", "SFLR6_1", "RROCK01", "SFLR7_4"),
        ceilings=("FLOOR6_1", "FLAT5_6", "SFLR7_1", "RROCK04"),
        panels=(
            ("SKINFACE", 128),
            ("SKSPINE1", 128),
            ("SKSPINE2", 128),
            ("SW1SKULL", 64),
            ("SP_FACE2", 64),
            ("SKULWAL3", 128),
            ("MARBFACE", 128),
        ),  # fmt: skip
        pillars=("SKSNAKE2", "SKULWALL", "REDWALL1", "SLOPPY1", "SW1SKULL"),
        props=(SKULL_PILLAR, SKULL_POLE, SKULLS_POLE, IMPALED, TALL_RED),
        scatter=(BLOODY_MESS, POOL_OF_BLOOD),
    ),
    Theme(  # castle
        walls=(
            "STONE2",
            "STONE3",
            "STONE4",
            "BIGBRIK2",
            "ZZWOLF1",
            "A-BRICK1",
            "BRICK9",
            "A-DBRI1",
            "A-ROCK",
            "BSTONE2",
        ),  # fmt: skip
        trims=("STONGARG", "METAL", "LITESTON"),
        floors=("MFLR8_1", "MFLR8_3", "SLIME15", "RROCK13", "FLAT5_8", "AQF074"),
        ceilings=("MFLR8_1", "FLAT5_7", "RROCK13", "FLAT5_2"),
        panels=(
            ("ZZWOLF3", 128),
            ("ZZWOLF4", 128),
            ("ZZWOLF2", 128),
            ("STONPOIS", 64),
            ("PANBOOK", 64),
            ("SW1STON1", 64),
            ("BIGDOOR7", 128),
        ),  # fmt: skip
        pillars=("LITESTON", "STONE5", "STONGARG", "MARBGRAY"),
        props=(CANDELABRA, TALL_GREEN, SHORT_RED, SKULL_POLE),
        scatter=(CANDLE,),
    ),
    Theme(  # temple in the sand
        walls=("STWALL", "BIGWALL", "LONGWALL", "DOGLDIR", "A-BROWN2", "CARLLF1", "BROWN1", "STUCCO1", "TANROCK7"),
        trims=("PILLAR", "DRSIDE1", "SKIRTING"),
        floors=("FLAT8", "FLOOR3_3", "SLIME16", "FLOOR4_6", "FLAT5_5", "AQF047"),
        ceilings=("FLOOR3_3", "CEIL3_3", "CEIL3_1", "FLOOR4_6"),
        panels=(("MURAL1", 128), ("MURAL2", 128), ("BIGMURAL", 128), ("DRFRONT", 128)),
        pillars=("PILLAR", "DRSIDE1", "LONGWALL"),
        props=(TALL_RED, SHORT_RED, CANDELABRA, STUMP),
    ),
    Theme(  # bronze and slime works
        walls=(
            "BRONZE1",
            "BRONZE3",
            "BROWNGRN",
            "SLADWALL",
            "BROWN96",
            "PIPE2",
            "PIPE4",
            "SLIME2",
            "METAL1",
            "BROWN144",
        ),  # fmt: skip
        trims=("BRONZE4", "SUPPORT3", "LITE96"),
        floors=("AQF029", "AQF040", "SLIME13", "FLOOR4_8", "AQF072", "FLAT1_2", "AQF076"),
        ceilings=("CEIL5_2", "FLAT1_1", "AQF031", "CEIL5_1"),
        panels=(
            ("BRNPOIS", 128),
            ("SLADPOIS", 64),
            ("SLADSKUL", 64),
            ("LITE96", 64),
            ("YELMETAL", 128),
            ("DISASTER", 128),
            ("A-POIS", 64),
        ),  # fmt: skip
        pillars=("LITEMET", "SLADSKUL", "LITERED", "CRATE2"),
        props=(LAMP, TECH_PILLAR),
    ),
)
