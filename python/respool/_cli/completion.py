"""``respool completion``: what a shell needs to complete the command."""

import click
from click.shell_completion import get_completion_class

from respool._cli.endings import Exit

_WHERE = {
    "bash": 'eval "$(respool completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(respool completion zsh)"  in ~/.zshrc, behind compinit',
    "fish": "respool completion fish | source  in ~/.config/fish/config.fish",
}


@click.command(
    "completion", short_help="Print the completion of a shell.", epilog="; ".join(_WHERE.values())
)
@click.argument("shell", type=click.Choice(list(_WHERE)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> Exit:
    """Print the completion of a shell: subcommands, options and names."""
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 - one of click's own
    root = ctx.find_root()
    click.echo(complete(root.command, {}, "respool", "_RESPOOL_COMPLETE").source())
    return Exit.OK
