#!/usr/bin/env python3
"""Drive the {{ cookiecutter.slug }} service: `./manage.py --help`."""

from glassware.cli import Manager

manager = Manager("glassware_{{ cookiecutter.slug }}.app:service", home=__file__)

if __name__ == "__main__":
    manager.run()
