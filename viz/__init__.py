"""Pictures of graphs: `viz.draw(net).save("net.svg")`.

Time runs from left to right and the cell from bottom to top, with the same arrangement at every
step. A picture is made in four stages, each a module of its own: `selection` (which nodes), `scene`
(boxes and edges; `rolling_up` makes one of a single step, `closing` draws cells as one box), `layout`
(places and ways), `svg` (text); `style` alone has colours, fonts and measures. Of many steps that are
drawn alike a few go through these stages (`repeats`), and the text of the others is stamped (`stamps`).
"""

from .charts import chart
from .comparison import Comparison, compare
from .drawing import Drawing, draw
from .joining import side_by_side
from .legend_sheet import legend
from .sheet import Chart
from .stepping import Frame, Frames, frames

__all__ = [
    "Chart",
    "Comparison",
    "Drawing",
    "Frame",
    "Frames",
    "chart",
    "compare",
    "draw",
    "frames",
    "legend",
    "side_by_side",
]
