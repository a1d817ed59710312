"""A name that a section of a notebook reads has one earlier section that gave it, so that none
takes another's value.

The report once looped over ``rows`` between the section that gathered some and the one that plotted
them.
"""

import ast
import importlib
from contextlib import suppress
from types import ModuleType

import nbformat
import pytest

from tests.notebooks.test_notebooks import NOTEBOOKS


class _Names(ast.NodeVisitor):
    """Global names that code binds, and those it reads before it binds them, in the order of
    execution."""

    def __init__(self):
        self.bound, self.read, self._local = {}, {}, []

    def visit_Name(self, node):
        if not any(node.id in names for names in self._local):
            self._note(node.id, reads=isinstance(node.ctx, ast.Load))

    def _note(self, name, reads=False):
        if not reads:
            self.bound[name] = True
        elif name not in self.bound:
            self.read[name] = True

    def visit_Assign(self, node):
        self._in_order(node.value, *node.targets)

    def visit_AnnAssign(self, node):
        self._in_order(node.value, node.target)

    def visit_NamedExpr(self, node):
        self._in_order(node.value, node.target)

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            self._note(node.target.id, reads=True)
        self._in_order(node.value, node.target)

    def visit_For(self, node):
        self._in_order(node.iter, node.target, *node.body, *node.orelse)

    def visit_Import(self, node):
        for alias in node.names:
            self._note((alias.asname or alias.name).partition(".")[0])

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node):
        self._note(node.name)
        own = {
            n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        self._inside(own | _arguments(node), *node.body)

    def visit_Lambda(self, node):
        self._inside(_arguments(node), node.body)

    def visit_ListComp(self, node):
        self.visit(node.generators[0].iter)
        targets = {
            n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)
        }
        self._inside(targets, *ast.iter_child_nodes(node))

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def _inside(self, local, *nodes):
        self._local.append(local)
        self._in_order(*nodes)
        self._local.pop()

    def _in_order(self, *nodes):
        for node in filter(None, nodes):
            self.visit(node)


def _arguments(function) -> set[str]:
    return {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}


def sections(notebook) -> list[tuple[str, str]]:
    """(first line of its text, code) of every section: what stands between two texts."""
    found = [("", [])]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found.append((cell.source.partition("\n")[0].lstrip("# ")[:60], []))
        elif cell.cell_type == "code":
            found[-1][1].append(cell.source)
    return [(heading, "\n".join(code)) for heading, code in found if code]


def ambiguous_names(notebook) -> list[str]:
    """What a section reads without having bound it, where several earlier sections bind it: one
    sentence each."""
    found, bound = [], {}
    for heading, code in sections(notebook):
        names = _Names()
        names.visit(ast.parse(code))
        for name in names.read:
            if len(bound.get(name, ())) > 1:
                givers = " and ".join(map(repr, bound[name]))
                found.append(f"{heading!r} reads {name!r}, which {givers} bind; name them apart.")
        for name in names.bound:
            bound.setdefault(name, []).append(heading)
    return found


def made_up(*cells: str):
    make = nbformat.v4
    kinds = [
        make.new_markdown_cell if cell.startswith("#") else make.new_code_cell for cell in cells
    ]
    return make.new_notebook(cells=[kind(cell) for kind, cell in zip(kinds, cells, strict=True)])


@pytest.mark.case(
    "numbers",
    "a notebook's section rebinds a name that a later section reads as if it were an earlier one's",
    "the test names the sections; no such name is left",
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_section_reads_no_name_that_two_earlier_ones_bind(path):
    assert ambiguous_names(nbformat.read(path, as_version=4)) == []


ONE, OTHER, LAST = "## Ablations\nText", "## The second reading", "### Open questions"


@pytest.mark.parametrize(
    "rebinding",
    [
        (
            "for experiment in ('04_review', '04_implicit'):\n"
            "    rows = records[experiment]\n"
            "    display(rows)"
        ),
        "rows = records['b']",
        "for name, (rows, _) in records.items():\n    pass",
        "with kept() as rows:\n    pass",
        "if len(records):\n    rows = 1",
        "display(rows := records['b'])",
        "rows, more = records",
        "def rows():\n    pass",
        "import rows",
        "from tables import kept as rows",
        "rows += 1",
    ],
)
def test_a_rebound_name_is_found(rebinding):
    notebook = made_up(ONE, "rows = records['a']", OTHER, rebinding, LAST, "plot(rows)")
    found = [sentence for sentence in ambiguous_names(notebook) if "Open" in sentence]
    assert found == [
        "'Open questions' reads 'rows', which 'Ablations' and 'The second reading' bind; "
        "name them apart."
    ]


@pytest.mark.parametrize(
    "reading", ["plot([rows for _ in a])", "f = lambda a: rows + a", "def f():\n    return rows"]
)
def test_it_is_found_wherever_it_is_read(reading):
    assert ambiguous_names(made_up(ONE, "rows = 1", OTHER, "rows = 2", LAST, reading))


@pytest.mark.parametrize(
    ("other", "last"),
    [
        ("plot([rows for rows in rows])", "plot(rows)"),
        ("table = records", "plot(rows)"),  # one giver
        ("rows = 2", "rows = 3\nplot(rows)"),  # its own
        ("rows = 2", "for rows in a:\n    plot(rows)"),
        ("print([rows for rows in a])", "plot(rows)"),  # comprehensions keep their names
        ("f = lambda rows: rows", "plot(rows)"),
        ("def f(rows):\n    rows = 1\n    return rows", "plot(rows)"),
        ("rows = 2", "plot([rows for rows in a])"),
        ("rows['b'] = 2", "plot(rows)"),  # another item of the same one
    ],
)
def test_what_is_no_rebinding(other, last):
    assert ambiguous_names(made_up(ONE, "rows = 1", OTHER, other, LAST, last)) == []


def missing_attributes(notebook) -> list[str]:
    """``module.name`` of every name that a notebook reads of a module of the library and that is
    not there, and of every name that it imports in vain."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    tree, modules, missing = ast.parse(code), {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("bonmf_lib") and alias.asname:
                    modules[alias.asname] = importlib.import_module(alias.name)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bonmf_lib"):
            parent = importlib.import_module(node.module)
            for alias in node.names:
                with suppress(ModuleNotFoundError):
                    importlib.import_module(f"{node.module}.{alias.name}")
                found = getattr(parent, alias.name, None)
                if found is None:
                    missing.append(f"{node.module}.{alias.name}")
                elif isinstance(found, ModuleType):
                    modules[alias.asname or alias.name] = found
    return missing + [
        f"{modules[node.value.id].__name__}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and not hasattr(modules[node.value.id], node.attr)
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_reads_of_the_library_is_there(path):
    assert not missing_attributes(nbformat.read(path, as_version=4))


def test_what_is_not_there_is_named():
    notebook = made_up(
        "from bonmf_lib.report import tables as shown, nothing",
        "shown.metric_table\nshown.moved(shown.away)\nother = shown",
    )
    assert missing_attributes(notebook) == [
        "bonmf_lib.report.nothing",
        "bonmf_lib.report.tables.moved",
        "bonmf_lib.report.tables.away",
    ]
