"""`python -m hindscale`, the same as `hindscale`."""

from hindscale.cli.main import run

if __name__ == "__main__":
    run()
