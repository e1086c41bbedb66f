"""What tests count and measure, put into words."""


class Figures:
    """The figures of one file: whole numbers add up, of floats the greatest is kept."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, float]] = {}

    def add(self, what: str, **numbers: float) -> None:
        """Add the numbers that a test saw under a heading of its choice."""
        group = self._groups.setdefault(what, {})
        for name, number in numbers.items():
            if isinstance(number, float):
                group[name] = max(number, group.get(name, number))
            else:
                group[name] = group.get(name, 0) + number

    def __str__(self) -> str:
        return "; ".join(
            f"{what}: {', '.join(_in_words(*figure) for figure in group.items())}"
            for what, group in self._groups.items()
        )


def _in_words(name: str, number: float) -> str:
    name = name.replace("_", " ")
    return f"{name} {number:.2f}" if isinstance(number, float) else f"{number:,} {name}"
