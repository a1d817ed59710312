"""Packages build on one another in one order, without circles."""

import ast
from pathlib import Path

import bonmf_lib

FOLDER = Path(bonmf_lib.__file__).parent
FILES = (
    "errors",
    "progress",
    "storage",
    "config",
    "integrity",
    "device",
    "memory",
    "parallel",
    "sources",
)  # at the top
PACKAGES = (
    "datasets", "encoders", "splits", "models", "training", "evaluation", "runs", "experiments",
    "studies", "claims", "report", "audit",
)  # fmt: skip
ORDER = (*FILES, *PACKAGES, "__main__")


def imports() -> dict[str, set[str]]:
    """Module -> modules of the library that it imports, wherever the import stands."""
    found = {}
    for path in FOLDER.rglob("*.py"):
        package = path.relative_to(FOLDER.parent).parent.parts
        module = ".".join((*package, path.stem)).removesuffix(".__init__")
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("bonmf_lib.") for name in node.names), module
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else ()
                base = ".".join([*above, *([node.module] if node.module else [])])
                if base.split(".")[0] == "bonmf_lib":
                    found[module] |= {_module(base, name.name) for name in node.names}
    return found


def _module(base: str, name: str) -> str:
    """The module that ``from base import name`` reads: the name itself where it is one."""
    path = FOLDER.parent.joinpath(*base.split("."), name)
    return (
        f"{base}.{name}"
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
        else base
    )


def place(module: str) -> int:
    return ORDER.index(module.split(".")[1])


def test_every_module_has_a_place_in_the_order():
    tops = {module.split(".")[1] for module in imports() if module != "bonmf_lib"}
    assert tops == set(ORDER)


def test_imports_go_only_to_packages_on_the_left():
    for module, read in imports().items():
        for other in read - {"bonmf_lib"}:
            assert module == "bonmf_lib" or place(other) <= place(module), (
                f"{module} imports {other}"
            )


def test_imports_form_no_circle():
    known = imports()

    def reached(module: str, seen: set[str]) -> set[str]:
        for other in known[module] - seen:
            seen.add(other)
            reached(other, seen)
        return seen

    for module in known:
        assert module not in reached(module, set()), module


def test_every_package_says_what_it_holds():
    for package in PACKAGES:
        text = ast.get_docstring(
            ast.parse((FOLDER / package / "__init__.py").read_text(encoding="utf-8"))
        )
        assert text, package
