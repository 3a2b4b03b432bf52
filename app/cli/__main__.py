"""`python -m app.cli` is `pavescope`."""

from app.cli import main

main()
