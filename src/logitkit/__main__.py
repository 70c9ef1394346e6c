"""`python -m logitkit` is the command line."""

from logitkit.cli import main

main()
