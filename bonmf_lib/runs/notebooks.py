"""Notebooks that end early: cells that ask what the data cannot answer."""

from IPython import get_ipython


def skip_rest(why: str) -> None:
    """Print why, and let all cells below do nothing; the next execution of the parameters cell ends
    that."""
    print(why)
    shell = get_ipython()
    if shell is None:
        return

    def nothing(lines: list[str]) -> list[str]:
        if not lines or not lines[0].startswith("profile = "):  # how the cell of parameters begins
            return []
        shell.input_transformers_cleanup.remove(nothing)
        return lines

    shell.input_transformers_cleanup.append(nothing)
