"""Whether something is to be removed, asked of a person and never of a program."""

import sys

import click

from respool._cli.terminal import is_terminal


def is_wanted(*, is_sure: bool) -> bool:
    """Ask, if somebody is there to answer and has not said so before."""
    if is_sure or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return True
    return click.confirm("Remove?", err=True)
