"""``python -m respool``: the command."""

from respool._cli import main

if __name__ == "__main__":
    main()
