"""What a mutant is: one small change of a source file, of the kind that a slip of the hand makes.

Left alone are texts that people read, annotations, decorators, assertions, ``log.debug`` and what only mypy runs: a
change there is none of behaviour.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_KEYED = {"get", "pop", "startswith", "endswith", "removeprefix", "removesuffix", "getattr", "hasattr"}
"""Functions whose texts are data."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    line: int
    """Where the change begins, from 1."""

    lines: range
    """Of the statement around it; none where the import runs it."""

    where: str
    """The qualified name of the function or class around it, '' for the module itself."""

    before: str
    """The changed lines as they are, without indentation."""

    after: str
    """The changed lines as they would be."""

    source: str
    """The whole file as it would be."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by when lines move."""
        return self.where, self.before, self.after


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a file, in the order of its text."""
    found = _Finder(source)
    found.visit(ast.parse(source))
    return sorted(found.mutants, key=lambda mutant: (mutant.line, mutant.after))


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self.mutants: list[Mutant] = []
        self._source = source.encode()
        self._starts = [0]
        for line in self._source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._where: list[str] = []
        self._statement: ast.stmt | None = None
        self._functions = 0
        """How many functions are around."""

    # -- changes

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _change(self, start: int, end: int, new: str) -> None:
        mutated = self._source[:start] + new.encode() + self._source[end:]
        try:
            compile(mutated, "mutant", "exec")
        except SyntaxError:
            return
        first = self._source.rfind(b"\n", 0, start) + 1
        last = self._source.find(b"\n", end)
        last = len(self._source) if last < 0 else last
        line = self._source.count(b"\n", 0, start) + 1
        statement = self._statement
        head = isinstance(statement, (ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Try))
        lines = range(line, self._source.count(b"\n", 0, end) + 2)
        if statement is not None and not head:
            lines = range(statement.lineno, (statement.end_lineno or line) + 1)
        if not self._functions:
            # The import runs it, in whichever test that comes first.
            lines = range(0)
        before = self._source[first:last].decode()
        after = (self._source[first:start] + new.encode() + self._source[end:last]).decode()
        self.mutants.append(Mutant(line, lines, ".".join(self._where), _plain(before), _plain(after), mutated.decode()))

    def _replace(self, node: ast.expr | ast.stmt, new: str) -> None:
        self._change(*self._span(node), new)

    def _swap(self, left: ast.expr, right: ast.expr, new: str) -> None:
        """Another operator between these two."""
        start, end = self._span(left)[1], self._span(right)[0]
        between = self._source[start:end].decode()
        core = between.strip(" ()\n")
        if "#" not in between and core:
            at = between.index(core)
            self._change(start + at, start + at + len(core), new)

    # -- where

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._where.append(node.name)
        if isinstance(node, ast.ClassDef):
            inner: list[ast.AST] = []
        else:
            self._statement = node.body[0]
            self._functions += 1
            inner = [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]
        for each in (*inner, *node.body):
            self.visit(each)
        self._functions -= not isinstance(node, ast.ClassDef)
        self._where.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _scope

    def visit(self, node: ast.AST) -> None:
        if not isinstance(node, ast.stmt):
            super().visit(node)
            return
        before, self._statement = self._statement, node
        super().visit(node)
        self._statement = before

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    self.visit(each)

    def _skip(self, node: ast.AST) -> None:
        """Nothing in it is behaviour."""

    visit_Import = visit_ImportFrom = visit_Assert = visit_JoinedStr = _skip

    # -- statements

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or _is_debug(node.value):
            return
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [each.id for each in node.targets if isinstance(each, ast.Name)]
        if "__slots__" in names:
            return
        # Without a name that is used the mutant would only be a NameError.
        if not names and all(isinstance(each, (ast.Attribute, ast.Subscript)) for each in node.targets):
            self._replace(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._replace(node, "pass")
        if new := _OPERATORS.get(type(node.op)):
            self._replace(node, f"{self._text(node.target)} {new}= {self._text(node.value)}")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "pass")

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._replace(node, "pass")
            return
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._replace(node.value, "None")
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._condition(node.test, always=False)
        self.generic_visit(node)

    def _condition(self, test: ast.expr, *, always: bool = True) -> None:
        if any(isinstance(each, ast.NamedExpr) for each in ast.walk(test)):
            # The name that it binds is needed.
            self._replace(test, f"not ({self._text(test)})")
            return
        for value in ("True", "False") if always else ("False",):
            if self._text(test) != value:
                self._replace(test, value)

    # -- expressions

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._condition(test)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
            self._swap(left, right, _OPERATORS[type(operator)])
        for side in sides:
            self._data(side)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._swap(left, right, "or" if isinstance(node.op, ast.And) else "and")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(node, f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        texts = any(isinstance(each, ast.JoinedStr) or _is_text(each) for each in (node.left, node.right))
        if not texts and (new := _OPERATORS.get(type(node.op))):
            self._swap(node.left, node.right, new)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value))
        elif isinstance(node.value, (int, float)):
            self._replace(node, str(node.value + 1))

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if isinstance(node.func, ast.Name) and name in _FUNCTIONS:
            self._replace(node.func, _FUNCTIONS[name])
        if name in _KEYED:
            for argument in node.args:
                self._data(argument)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._data(node.slice)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key in node.keys:
            if key is not None:
                self._data(key)
        self.generic_visit(node)

    def _data(self, node: ast.expr) -> None:
        """A text that a program reads."""
        if _is_text(node):
            self._replace(node, repr(f"{ast.literal_eval(node)}~"))


def _plain(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_debug(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "debug"
