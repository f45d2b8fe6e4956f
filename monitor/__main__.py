"""``python -m monitor`` is ``routee-monitor``."""

from monitor.cli import main

if __name__ == "__main__":
    main()
