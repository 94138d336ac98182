"""Labels that break out of one language or another, and a net that carries one of them everywhere."""

from __future__ import annotations

from typing import Any

import tinygraph as tg

RUN = "window.broken=1"  # what runs if a page executes a label

LABELS = [
    f"</text><script>{RUN}</script>", f"</title><script>{RUN}</script>", f"</script><script>{RUN}</script>",
    f"</style><script>{RUN}</script>", f"</desc><script>{RUN}</script>", f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>", f'" onload="{RUN}', f"' onload='{RUN}", f'"><svg/onload={RUN}>',
    f"<iframe src=javascript:{RUN}>", f"<a xlink:href='javascript:{RUN}'>x</a>", f"javascript:{RUN}",
    f"<style>@import 'x';</style>{RUN}", f"${{{RUN}}}", f"`{RUN}`", f"\\u003cscript\\u003e{RUN}", f"';{RUN};//",
    f'";{RUN};//', f"*/{RUN}/*", "<!--", "-->", "<![CDATA[", "]]>", "<?xml?>", "<!DOCTYPE x [<!ENTITY a 'b'>]>",
    "&amp;", "&lt;script&gt;", "&#60;", "&x", "&", "<", ">", '"', "'", "\"'&<>", "\\", "a\\", "\\\\", '\\"', "\\N",
    "\\G", "a\\nb", "<b>html label</b>", "<<table>>", "digraph { a }", "] ; b [label=x", "a:b:c", "node", "graph",
    "strict", "%", "%comment", "$", "$x$", "#1", "^", "~", "{", "}", "{}", "}{", "\\input{/etc/passwd}",
    "\\end{document}", "\\write18{x}", "^^5c", "--", "a--b--0", "|", "[U+41]", "a\x00b\x1b[31m\ud800c\ufffe", "\r\n",
    "\n\t", "x\ny", "_", "__", "x_", "_x", " a ", "\u202e\u0085", "\u2028\u2029", "é_ß", "h\u0303", "e\u0301\u0302",
    "\u0303", "Ωα−·⊙⁻¹", "한국어", "中", "😀" * 40, "x" * 300, "title", "desc", "fold--1", "n0", "n3", "constructor",
    "__proto__", "toString", "0", "-1", "data", "count",
]  # fmt: skip


def hostile_net(label: str) -> Any:
    """A loss over two steps, with a label as the name of states, parameters, inputs, constants and scopes."""
    g = tg.Graph()
    with g.at(step=1, scope=label):
        h = tg.tanh(g.parameter(label + "W", (2,)) * g.input(label + "x", (2,)), name=label)
    with g.at(step=2, scope=label + "2"):
        h = tg.tanh(h * g.constant(label, [1.0, 2.0]) * g.constant(label, 0.5) + h, name=label)
    return tg.sum(h, name=label)


def hostile_feeds(label: str) -> dict[str, Any]:
    return {label + "W": [0.5, 0.25], label + "x": [1.0, -1.0]}


def holds(text: str, label: str) -> bool:
    """Whether the characters of a label that show are found in a text, in their order."""
    pieces = "".join(c if c.isprintable() else " " for c in label).split()
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True
