"""What one does with a save on the title screen: play on, rename it, delete it."""

from __future__ import annotations

from enum import Enum

from engine.play.cards import Card
from engine.play.menu import Item, Menu


class Act(Enum):
    """What to do with a save."""

    PLAY = "play on from here"
    RENAME = "rename"
    DELETE = "delete"


KEEP = Item("keep it", None)
SURE = Item("delete it for good", Act.DELETE, says="it cannot be had back")


class SaveMenu(Menu):
    """Asks once more before a save is deleted; whoever presses a key too much keeps it."""

    def __init__(self, card: Card):
        assert card.save
        self.card = card
        named = f"{card.save.stem}    {card.when}" if card.when else card.save.stem
        items = [Item(act.value, act) for act in Act]
        super().__init__([*items, Item("back", None, "Esc")], head=named)

    def _choose(self, item: Item) -> None:
        if item.value is Act.DELETE and item is not SURE:
            self._head = f"delete {self.card.save.stem!r}?" if self.card.save else ""
            self._show([KEEP, SURE])
        else:
            super()._choose(item)
