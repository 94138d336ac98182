r"""LaTeX: textbook equations, balanced braces, every value named, and no label that breaks the page."""

import re

import pytest
from graph.samples import each_net, every_row, trained
from helpers.cases import build, cases, rows

import tinygraph as tg
from tinygraph import State, models

HOSTILE = [
    "a_b{", "}", "{", "\\input{/etc/passwd}", "\\right)", "\\left(", "$x$", "&", "#1", "50%", "x^2", "a~b", "_", "a_",
    "_a", "x__y", "ünï", "線", "a\nb", "a\tb", "<script>", "\\", "\\\\", "%comment", "^^M", "\x00", "W_{hh}", "h'",
    '"', "a b",
]  # fmt: skip


def balanced(text: str) -> bool:
    r"""Whether braces close in order, and each \left has its \right within them."""
    open_ones: list[str] = []
    for token in re.findall(r"\\left(?![a-zA-Z])|\\right(?![a-zA-Z])|\\\\|\\[{}]|[{}]", text):
        if token in ("{", "\\left"):
            open_ones.append(token)
        elif token in ("}", "\\right") and (not open_ones or open_ones.pop() != {"}": "{", "\\right": "\\left"}[token]):
            return False
    return not open_ones


def body(latex: str) -> list[str]:
    """The lines of the `aligned` environment."""
    head, *lines, tail = latex.split("\n")
    assert (head, tail) == ("\\begin{aligned}", "\\end{aligned}")
    return [line.removesuffix(" \\\\") for line in lines]


def twice_below(latex: str) -> bool:
    """Whether a symbol has two subscripts, a_{i}_{j}, which TeX refuses; {a_{i}}_{j} is one of a group."""
    ends = list[bool]()  # of the open braces: whether they are those of a subscript
    below = False  # whether the last token ended a subscript
    for token in re.findall(r"\\[{}]|_\{|[{}]|.", latex):
        if token == "_{" and below:
            return True
        if token in ("_{", "{"):
            ends.append(token == "_{")
        below = ends.pop() if token == "}" and ends else False
    return False


def assert_clean(latex: str) -> None:
    """What every LaTeX of ours must be, whatever it shows."""
    assert balanced(latex), latex
    assert not twice_below(latex), latex
    assert not re.search(r"object at|Fraction|array\(|mappingproxy|lambda|None|True|False|slice\(|<\w+ |\('|%\d", latex)
    assert not re.search(r"(?<!\\)[$#%~]", latex), "characters that have a meaning for TeX"
    for line in body(latex):
        assert line.count(" &= ") == 1, line
        assert len(re.findall(r"(?<!\\)&", line)) == 1, line
        assert re.search(r"\S", line.split("&=")[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\frac{a}{b}", True), (r"\left(x\right)", True), (r"\{x\}", True), ("{", False), ("}{", False),
        (r"\left(x", False), (r"\right)\left(", False), (r"{\left(}\right)", False), (r"\\{", False),
        (r"\leftarrow", True),
    ],
)  # fmt: skip
def test_balance_is_judged_rightly(text, expected):
    assert balanced(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_{i}_{j}", True),
        ("{a_{i}}_{j}", False),
        ("a_{i_{j}}", False),
        ("a_{i} b_{j}", False),
        ("a_{i_{k}}_{j}", True),
    ],
)
def test_two_subscripts_are_seen(text, expected):
    assert twice_below(text) == expected


def test_an_entry_of_a_value_at_a_step_has_one_subscript():
    assert_clean(tg.latex(models.SYSTEMS["glimpses"].cell))
    g = tg.Graph()
    with g.at(step=1):
        assert_clean(tg.latex(tg.tanh(tg.tanh(g.input("x", (3,)), name="h")[0])))


# Every row
@pytest.mark.parametrize("name", rows())
def test_every_row(name):
    """Each operand stands in the formula."""
    for case in cases(tg.OPS[name]):
        operands, output = build(case)
        latex = tg.latex(output)
        assert_clean(latex)
        last = body(latex)[-1]
        assert [o.name for o in operands if rf"\mathrm{{{o.name}}}" not in last] == [], latex


def test_all_rows_on_one_tape():
    assert_clean(tg.latex(every_row().graph))


# Every cell
@pytest.mark.parametrize("name", models.CELLS)
def test_every_cell(name):
    """New states on the left with t, old ones on the right with t-1, and every parameter."""
    cell = models.CELLS[name]
    latex = tg.latex(cell)
    assert_clean(latex)
    for state in cell.states:
        assert any(line.startswith(f"{state}_{{t}} &= ") for line in body(latex))
        assert f"{state}_{{t-1}}" in latex
    for argument in cell.roles:
        assert tg.latex(cell, notation={argument: "Q"}) != latex, f"{argument} does not stand in the equations"


@each_net("name", "how")
def test_every_labelled_value_of_a_net_has_its_equation(name, how):
    graph = trained(name, how).graph
    latex = tg.latex(graph)
    assert_clean(latex)
    labelled = [node for node in graph if node.label and not node.op.leaf]
    named = [line for line in body(latex) if not line.startswith("v_")]
    assert len(named) == len(labelled)


@each_net("name", "how")
def test_no_two_equations_define_the_same_symbol(name, how):
    lines = body(tg.latex(trained(name, how).roots["loss"]))
    defined = [line.split(" &= ")[0] for line in lines]
    assert sorted({symbol for symbol in defined if defined.count(symbol) > 1}) == []


def test_the_elman_network_of_the_textbook():
    assert body(tg.latex(models.elman)) == [r"h_{t} &= \tanh(W x_{t} + U h_{t-1} + b)"]


def test_the_lstm_of_the_textbook():
    gates = [
        rf"{gate}_{{t}} &= {function}(W_{{{gate}}} x_{{t}} + U_{{{gate}}} h_{{t-1}} + b_{{{gate}}})"
        for gate, function in (("i", r"\sigma"), ("f", r"\sigma"), ("g", r"\tanh"), ("o", r"\sigma"))
    ]
    assert body(tg.latex(models.lstm)) == [
        *gates,
        r"c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot g_{t}",
        r"h_{t} &= o_{t} \odot \tanh(c_{t})",
    ]


def test_steps_of_a_net_are_numbered():
    net = tg.unroll(models.elman, 2, I=3, H=4)
    assert body(tg.latex(net)) == [
        r"h_{1} &= \tanh(W x_{1} + U h_{0} + b)",
        r"h_{2} &= \tanh(W x_{2} + U h_{1} + b)",
    ]


# Names
def test_notation_renames_symbols():
    latex = tg.latex(models.elman, notation={"U": "W_{hh}", "W": "W_{xh}", "h": "s"})
    assert body(latex) == [r"s_{t} &= \tanh(W_{xh} x_{t} + W_{hh} s_{t-1} + b)"]


def test_notation_renames_gradients_too():
    net = tg.unroll(models.elman, 1, I=3, H=4)
    gradients = tg.grad(tg.sum(net.h[1], name="loss"), net.parameters)
    assert r"\bar{U}" in tg.latex(gradients)
    assert r"\bar{R}" in tg.latex(gradients, notation={"U": "R"})
    assert r"\bar{h}_{1}" in tg.latex(gradients)


def test_a_value_may_bring_its_own_symbol():
    @tg.cell
    def candidate(h: State["H"]):
        """A candidate with a tilde."""
        c = tg.let("c", tg.tanh(h), latex=r"\tilde h")
        return c + h

    assert body(tg.latex(candidate)) == [r"\tilde h_{t} &= \tanh(h_{t-1})", r"h_{t} &= \tilde h_{t} + h_{t-1}"]


@pytest.mark.parametrize("name", ["alpha", "beta", "omega", "lambda"])
def test_greek_letters(name):
    graph = tg.Graph()
    latex = tg.latex(tg.tanh(graph.input(name), name="y"))
    assert body(latex) == [rf"y &= \tanh(\{name})"]


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_escaped(label):
    graph = tg.Graph()
    with graph.at(step=2):
        x = graph.input(label)
        latex = tg.latex(tg.tanh(x, name=label) * x)
    assert_clean(latex)
    assert "\\input" not in latex
    assert r"\mathrm{}" not in latex, "a label that shows nothing"
    assert latex.isprintable() or "\n" in latex


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_scopes_are_escaped(label):
    net = tg.unroll(models.elman, 1, I=2, H=2, scope=label.replace("/", ""))
    assert_clean(tg.latex(net))


def test_labels_that_differ_are_written_differently():
    graph = tg.Graph()
    labels = ["a", "a_", "A", "aa", "a_a", "a_A", "alpha", "_", "a b", "a-b", "a_1"]
    symbols = [
        body(tg.latex(tg.tanh(graph.input(f"x{i}"), name=name)))[0].split(" &=")[0] for i, name in enumerate(labels)
    ]
    assert len(set(symbols)) == len(labels), symbols


# Parentheses
PARENTHESES = {
    "a - (b - c)": (lambda a, b, c: a - (b - c), r"a - \left(b - c\right)"),
    "(a - b) - c": (lambda a, b, c: (a - b) - c, "a - b - c"),
    "(a + b) * c": (lambda a, b, c: (a + b) * c, r"\left(a + b\right) \, c"),
    "-(a + b)": (lambda a, b, c: -(a + b), r"-\left(a + b\right)"),
    "(-a)**2": (lambda a, b, c: (-a) ** 2, r"\left(-a\right)^{2}"),
    "-(a**2)": (lambda a, b, c: -(a**2), "-a^{2}"),
    "(a * b)**2": (lambda a, b, c: (a * b) ** 2, r"\left(a \, b\right)^{2}"),
    "a / (b + c)": (lambda a, b, c: a / (b + c), r"\frac{a}{b + c}"),
    "a - (b + c)": (lambda a, b, c: a - (b + c), r"a - \left(b + c\right)"),
    "tanh(a + b)": (lambda a, b, c: tg.tanh(a + b), r"\tanh(a + b)"),
}


@pytest.mark.parametrize("case", PARENTHESES)
def test_parentheses_where_they_are_needed(case):
    graph = tg.Graph()
    function, expected = PARENTHESES[case]
    root = graph.relabel(function(*(graph.input(name) for name in "abc")), "y")
    assert body(tg.latex(root)) == [f"y &= {expected}"]


def test_a_matrix_times_a_sum():
    graph = tg.Graph()
    W, x, y = graph.parameter("W", (2, 3)), graph.input("x", (3,)), graph.input("y", (3,))
    assert body(tg.latex(graph.relabel(W @ (x + y), "z"))) == [r"z &= W \left(x + y\right)"]
    assert body(tg.latex(graph.relabel(W @ (x * y), "z"))) == [r"z &= W \left(x \odot y\right)"]
    assert body(tg.latex(graph.relabel(W.T @ (W @ x), "z"))) == [r"z &= W^{\top} \left(W x\right)"]


def test_a_notebook_shows_the_formula():
    written = tg.latex(models.CELLS["elman"])
    assert written._repr_latex_() == f"$$\n{written}\n$$"
