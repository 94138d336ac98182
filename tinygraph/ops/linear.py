"""Products of vectors and matrices, the transpose, and the diagonal matrix of a vector.

Vectors are columns in formulas. `v @ W` of a vector and a matrix is W^T v, so the cotangent of
`W @ x` needs no transposed copy of W: it is `g @ W`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph.letters import IDENTITY, Contraction, Matrix, Ones, Words, compose, diagonal, letter
from ..graph.node import Node
from ..graph.op import ATOM, POWER, PREFIX, PRODUCT, Example, Form, define
from ..shapes import Shape, axes_of, axis_of
from .reduce import sum as sum_entries
from .structure import reshape


def _matmul_shape(a: Node, b: Node) -> Shape:
    if a.ndim not in (1, 2) or b.ndim not in (1, 2):
        raise ShapeError(
            f"operands must be vectors or matrices, not of rank {a.ndim} and {b.ndim}",
            fix="multiply scalars with *; apply a tensor with tg.bilinear or after tg.reshape",
        )
    if a.shape[-1] != b.shape[0]:
        swapped = a.ndim == 2 and a.shape[0] == b.shape[0]
        raise ShapeError(
            f"inner sizes differ: {a.shape} @ {b.shape}",
            fix=f"the columns of the left operand, {a.shape[-1]}, must equal the size of the right one, {b.shape[0]}"
            + ("; did you mean the transpose, a.T @ b?" if swapped else ""),
        )
    return a.shape[:-1] + b.shape[1:]


def _matmul(xp: Any, y: Node, a: Any, b: Any) -> Any:
    left, right = y.args[0].ndim, y.args[1].ndim
    if (left, right) == (1, 1):
        return xp.sum(xp.multiply(a, b), (-1,), False)
    if (left, right) == (2, 2):
        return xp.matmul(a, b)
    if right == 1:  # W @ x; an unbatched W is applied to all examples in one product
        return xp.matmul(b, xp.swap(a)) if a.ndim == 2 else xp.matmul(a, b[..., None])[..., 0]
    return xp.matmul(a, b) if b.ndim == 2 else xp.matmul(a[..., None, :], b)[..., 0, :]


def _left_cotangent(g: Node, y: Node, a: Node, b: Node) -> Node:
    if a.ndim == 1:
        return g * b if b.ndim == 1 else b @ g
    return outer(g, b) if b.ndim == 1 else g @ transpose(b)


def _right_cotangent(g: Node, y: Node, a: Node, b: Node) -> Node:
    if b.ndim == 1:
        return g * a if a.ndim == 1 else g @ a
    return outer(a, g) if a.ndim == 1 else transpose(a) @ g


def _left_words(y: Node, a: Node, b: Node) -> Words:
    """Of a row a: a @ B = B^T a."""
    return _dot_words(b) if b.ndim == 1 else letter(_matrix(b, True))


def _right_words(y: Node, a: Node, b: Node) -> Words:
    return _dot_words(a) if a.ndim == 1 else letter(_matrix(a, False))


def _dot_words(other: Node) -> Words:
    """d(other^T v) = 1^T diag(other) dv."""
    return compose(letter(Ones(1, other.shape[0])), diagonal(other))


def _matrix(node: Node, transposed: bool) -> Matrix:
    """A matrix letter, of W itself where the node is a transpose of W."""
    if node.op is transpose and node.ndim == 2:
        return Matrix(node.args[0], transposed != (node.attrs["axes"] == (-1, -2)))
    return Matrix(node, transposed)


def _matmul_latex(node: Node, operands: list[str]) -> str:
    a, b = node.args
    if a.ndim == 1:  # a row times something: written with columns
        return rf"{operands[0]}^{{\top}} {operands[1]}" if b.ndim == 1 else rf"{operands[1]}^{{\top}} {operands[0]}"
    return f"{operands[0]} {operands[1]}"


matmul = define(
    "matmul",
    "Matrix product a @ b of matrices (m, n) or vectors (n,), per example; a vector on the left is a row.",
    arity=2,
    shape=_matmul_shape,
    run=_matmul,
    vjp=(_left_cotangent, _right_cotangent),
    words=(_left_words, _right_words),
    text=Form("{0} @ {1}", PRODUCT, inner=PREFIX),
    latex=Form(_matmul_latex, PRODUCT, inner=POWER),
    examples=tuple(
        Example(shapes)
        for shapes in (
            ((2, 3), (3,)), ((3, 3), (3,)), ((1, 1), (1,)), ((0, 3), (3,)), ((3, 0), (0,)),
            ((2, 3), (3, 4)), ((3, 3), (3, 3)), ((1, 3), (3, 1)), ((2, 0), (0, 2)),
            ((3,), (3, 2)), ((3,), (3, 3)), ((1,), (1, 2)), ((3,), (3,)), ((1,), (1,)), ((0,), (0,)),
        )
    ),
)  # fmt: skip


def _transpose_axes(x: Node, axes: Any = None) -> dict[str, Any]:
    order = tuple(range(-1, -x.ndim - 1, -1)) if axes is None else tuple(axis_of(a, x.ndim) for a in axes)
    if tuple(sorted(order)) != axes_of(None, x.ndim):
        raise ShapeError(f"{axes!r} is not an order of the {x.ndim} axes")
    return {"axes": order}


def _transpose_back(g: Node, y: Node, x: Node) -> Node:
    order = y.attrs["axes"]
    return transpose(g, [order.index(axis) for axis in axes_of(None, x.ndim)])


transpose = define(
    "transpose",
    "The axes of one example's value in another order; reversed without `axes`.",
    attrs=_transpose_axes,
    shape=lambda x, *, axes: tuple(x.shape[a] for a in axes),
    run=lambda xp, y, x: xp.transpose(x, y.attrs["axes"]),
    vjp=(_transpose_back,),
    words=(lambda y, x: IDENTITY,),
    takes="any",
    gives="same",
    intern=True,
    text=Form(
        lambda node, operands: f"{operands[0]}.T" if node.ndim == 2 else f"transpose({operands[0]})", POWER, inner=ATOM
    ),
    latex=Form(r"{0}^{{\top}}", POWER, inner=ATOM),
    examples=(
        *(Example((shape,)) for shape in ((), (3,), (2, 3), (3, 3), (1, 3), (0, 3), (2, 3, 4))),
        *(Example(((2, 3, 4),), {"axes": axes}) for axes in ((0, 2, 1), (1, 2, 0), (2, 0, 1), (0, 1, 2))),
        Example(((3, 2),), {"axes": (0, 1)}),
    ),
)


def _vectors(rule: str, a: Node, b: Node) -> None:
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"{rule} takes two vectors, not shapes {a.shape} and {b.shape}")


def _outer_shape(a: Node, b: Node) -> Shape:
    _vectors("an outer product", a, b)
    return a.shape + b.shape


def _dot_shape(a: Node, b: Node) -> Shape:
    _vectors("a dot product", a, b)
    if a.shape != b.shape:
        raise ShapeError(f"vectors of different sizes, {a.shape} and {b.shape}")
    return ()


outer = define(
    "outer",
    "Outer product a b^T of vectors (m,) and (n,): a matrix (m, n).",
    arity=2,
    shape=_outer_shape,
    run=lambda xp, y, a, b: xp.multiply(a[..., :, None], b[..., None, :]),
    vjp=(lambda g, y, a, b: g @ b, lambda g, y, a, b: a @ g),
    why_no_words="its result is a matrix",
    latex=Form(r"{0} \, {1}^{{\top}}", PRODUCT, inner=ATOM),
    examples=tuple(
        Example(shapes)
        for shapes in (((2,), (3,)), ((3,), (3,)), ((1,), (1,)), ((1,), (3,)), ((0,), (3,)), ((3,), (0,)), ((4,), (2,)))
    ),
)
dot = define(
    "dot",
    "Dot product of two vectors (n,): a scalar.",
    arity=2,
    shape=_dot_shape,
    run=lambda xp, y, a, b: xp.sum(xp.multiply(a, b), (-1,), False),
    vjp=(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a),
    words=(lambda y, a, b: _dot_words(b), lambda y, a, b: _dot_words(a)),
    latex=Form(r"{0}^{{\top}} {1}", PRODUCT, inner=ATOM),
    examples=tuple(Example(((n,), (n,))) for n in (0, 1, 2, 3, 4, 7)),
)


def _diag_shape(x: Node) -> Shape:
    if x.ndim != 1:
        raise ShapeError(f"takes a vector, not shape {x.shape}")
    return x.shape + x.shape


def _diagonal(g: Node, y: Node, x: Node) -> Node:
    return sum_entries(g * g.graph.constant("", np.eye(x.shape[0])), -1)


diag = define(
    "diag",
    "The diagonal matrix (n, n) of a vector (n,): diag(f) @ U scales row i of U by f_i.",
    shape=_diag_shape,
    run=lambda xp, y, x: xp.multiply(x[..., :, None], xp.real(np.eye(x.shape[-1], dtype=int))),
    vjp=(_diagonal,),
    why_no_words="its result is a matrix",
    latex=Form(r"\operatorname{{diag}}({0})"),
    examples=tuple(Example(((n,),)) for n in (0, 1, 2, 3, 4, 7)),
)


def _bilinear_shape(x: Node, A: Node, z: Node) -> Shape:
    if x.ndim != 1 or z.ndim != 1 or A.ndim not in (2, 3):
        raise ShapeError(
            f"takes vector, matrix or rank-3 tensor, vector; not shapes {x.shape}, {A.shape}, {z.shape}",
            fix="x (m,), A (m, n) or (k, m, n), z (n,)",
        )
    if A.shape[-2:] != x.shape + z.shape:
        raise ShapeError(f"tensor {A.shape} does not fit vectors {x.shape} and {z.shape}", fix="A ends with (m, n)")
    return A.shape[:-2]


def _bilinear(xp: Any, y: Node, x: Any, A: Any, z: Any) -> Any:
    product = xp.sum(xp.multiply(A, z[..., None, :] if y.args[1].ndim == 2 else z[..., None, None, :]), (-1,), False)
    return xp.sum(xp.multiply(product, x if y.args[1].ndim == 2 else x[..., None, :]), (-1,), False)


def _weighted_form(g: Node, A: Node) -> Node:
    """The matrix sum_k g_k A_k (m, n) of the slices of A, weighted by the cotangent."""
    if A.ndim == 2:
        return g * A
    k, m, n = A.shape
    return reshape(g @ reshape(A, (k, m * n)), (m, n))


def _form_cotangent(g: Node, y: Node, x: Node, A: Node, z: Node) -> Node:
    pair = outer(x, z)
    if A.ndim == 2:
        return g * pair
    return reshape(outer(g, reshape(pair, (x.shape[0] * z.shape[0],))), A.shape)


bilinear = define(
    "bilinear",
    "Bilinear form x^T A z: a scalar for a matrix A (m, n), a vector (k,) for a tensor A (k, m, n).",
    arity=3,
    shape=_bilinear_shape,
    run=_bilinear,
    vjp=(
        lambda g, y, x, A, z: _weighted_form(g, A) @ z,
        _form_cotangent,
        lambda g, y, x, A, z: x @ _weighted_form(g, A),
    ),
    words=(
        lambda y, x, A, z: letter(Contraction(A, z, -1)),
        None,
        lambda y, x, A, z: letter(Contraction(A, x, -2)),
    ),
    latex=Form(r"{0}^{{\top}} {1} \, {2}", PRODUCT, inner=ATOM),
    examples=tuple(
        Example(shapes)
        for shapes in (
            ((2,), (2, 3), (3,)), ((3,), (3, 3), (3,)), ((1,), (1, 1), (1,)), ((0,), (0, 3), (3,)),
            ((2,), (4, 2, 3), (3,)), ((3,), (3, 3, 3), (3,)), ((1,), (1, 1, 1), (1,)), ((2,), (0, 2, 3), (3,)),
        )
    ),
)  # fmt: skip
