"""`python -m radiodeep` is the command line."""

from radiodeep.cli import main

if __name__ == "__main__":
    main()
