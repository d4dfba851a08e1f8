"""`python -m harness` is the command `harness`."""

from harness.cli.start import main

main()
