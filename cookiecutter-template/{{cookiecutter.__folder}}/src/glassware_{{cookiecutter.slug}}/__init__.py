"""{{ cookiecutter.__summary }}"""
