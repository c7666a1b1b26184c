"""`python -m meshlearn`, the same as the command."""

from meshlearn.cli import main

if __name__ == "__main__":
    main()
