"""``python -m pixelwise``: the command line."""

from pixelwise.cli import main

if __name__ == "__main__":
    main()
