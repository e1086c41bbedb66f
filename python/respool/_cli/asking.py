"""Whether something is to be removed, asked of a person and never of a program."""

import sys

import click

from respool._cli.terminal import is_terminal


def is_asked(*, is_sure: bool) -> bool:
    """Tell whether somebody is there to answer, and has not said so before."""
    return not is_sure and is_terminal(sys.stdin) and is_terminal(sys.stderr)


def is_wanted(*, is_sure: bool) -> bool:
    """Ask, if somebody is to be asked."""
    return not is_asked(is_sure=is_sure) or click.confirm("Remove?", err=True)
