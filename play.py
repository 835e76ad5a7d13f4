"""The game: `python play.py --help` prints its settings."""

from engine.play.app import main

if __name__ == "__main__":
    raise SystemExit(main())
