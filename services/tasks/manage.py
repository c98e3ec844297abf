#!/usr/bin/env python3
"""Drive the tasks service: `./manage.py --help`."""

from glassware.cli import Manager

manager = Manager("glassware_tasks.app:service", home=__file__)

if __name__ == "__main__":
    manager.run()
