"""`python -m milter` is the command `gatepost`."""

from milter.cli import main

if __name__ == "__main__":
    main()
