"""What was tried to make a number silently wrong, as a page: ``python -m tests.reliability`` writes
``RELIABILITY.md``.

A test that stands for such a case carries ``@pytest.mark.case(area, tried, outcome)`` with three
plain texts; the page lists them, read from the tests' sources without running them.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = TESTS / "RELIABILITY.md"
AREAS = {
    "numbers": "Numbers",
    "damage": "Damaged files",
    "processes": "Kills, races, full disks",
    "parameters": "Parameters and profiles",
    "hostile": "Hostile input",
    "data": "Other people's data",
}


@dataclass(frozen=True)
class Case:
    """One thing tried, what comes of it, and the test that shows it."""

    area: str
    tried: str
    outcome: str
    test: str


def cases(folder: Path = TESTS) -> list[Case]:
    """All cases below a folder, by area, in the order of files and lines.

    Raises:
        ValueError: a mark whose arguments are not three texts, or whose area is unknown.
    """
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in (
                node for decorator in function.decorator_list for node in ast.walk(decorator)
            ):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.case":
                    found.append(
                        _case(call, f"{path.relative_to(folder).as_posix()}::{function.name}")
                    )
    return sorted(found, key=lambda case: list(AREAS).index(case.area))


def _case(call: ast.Call, test: str) -> Case:
    texts = [
        node.value
        for node in call.args
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    if len(texts) != 3 or len(call.args) != 3 or call.keywords or texts[0] not in AREAS:
        raise ValueError(
            f"{test}: pytest.mark.case takes (area, tried, outcome), "
            f"the area one of {', '.join(AREAS)}."
        )
    return Case(*texts, test)


def page(found: list[Case]) -> str:
    """The cases as Markdown, one table per area."""
    lines = [
        "# What was tried to break this study",
        "",
        "An audit is only worth its weakest number. Each row is something that could make a number "
        "silently wrong, lose finished work or run somebody else's code; what happens instead; and "
        "the test that shows it. This page is made from the tests (`python -m tests.reliability`), "
        "and a test fails when it is out of date.",
    ]
    for area, title in AREAS.items():
        rows = [case for case in found if case.area == area]
        if rows:
            lines += ["", f"## {title}", "", "| tried | what happens | test |", "|---|---|---|"]
            lines += [
                f"| {_cell(row.tried)} | {_cell(row.outcome)} | `{row.test}` |" for row in rows
            ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(cases()), encoding="utf-8")
