"""Lets ``python -m reesim.empirics`` run the empirical exercises."""

from reesim.empirics.cli import main

if __name__ == "__main__":
    main()
