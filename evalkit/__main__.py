"""`python -m evalkit`."""

from .cli import main

main()
