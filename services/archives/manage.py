#!/usr/bin/env python3
"""Drive the archives service: `./manage.py --help`."""

from glassware.cli import Manager

manager = Manager("glassware_archives.app:service", home=__file__)

if __name__ == "__main__":
    manager.run()
