"""Lets ``python -m reesim`` do what ``reesim`` does."""

from reesim.cli import main

if __name__ == "__main__":
    main()
