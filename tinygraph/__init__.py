"""tinygraph: automatic differentiation for unrolled graphs.

Equations for one step are written once; from them come the unrolled graph, its gradient (a graph
too), its picture and its LaTeX. Every operation of the table is a function of this package:
`tg.tanh(x)`; `tg.OPS` lists them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from . import errors
from .cells import Cell, Child, Context, Input, Param, State, cell, let
from .differentiate import grad, hvp, jacobian, jvp, vjp
from .execute.interpreter import evaluate
from .graph import Graph, Node, Op, Steps
from .graph.validator import validate
from .initialisers import initialise
from .ops import OPS
from .passes.intervention import intervene
from .passes.recomputation import Recomputed, recompute
from .passes.truncation import Truncated, truncate
from .saving import load, save
from .symbolic.formulas import latex
from .unrolling import Unrolled, unroll

if TYPE_CHECKING:
    from .flow.by_hand import walk
    from .flow.costs import Cost, Costs, compare_costs, cost_of
    from .flow.fading import Decays, decays, sweep_bias, sweep_initialisers, sweep_radius
    from .flow.paths import Ledger, count_paths, path_ledger
    from .flow.per_step import gradient_by_step
    from .flow.per_use import Contributions, contributions
    from .flow.real_time import RealTime, rtrl
    from .flow.recomputing import RecomputationCost, RecomputationCosts, recomputation_costs
    from .flow.squashing import Saturation, saturation
    from .flow.summary import GradientFlow, gradient_flow
    from .flow.truncation_bias import Bias, Randomised, bias_of_truncation, draw_flow, randomise
    from .flow.what_if import Counterfactuals, counterfactuals
    from .flow.word_bounds import StepBound, step_bound
    from .planning.compiled import Plan, plan
    from .rolling import Rolled, roll
    from .symbolic.written_gradients import Backpropagation, bptt
    from .symbolic.written_jacobians import WrittenJacobian, step_jacobian
    from .theorems.checking import TheoremReport, check_theorems
    from .verification.findings import Finding, Mistake, Verdict
    from .verification.linting import lint
    from .verification.listings import Listing
    from .verification.step_symbols import symbols
    from .verification.verification import Report, verify, verify_graph

__version__ = "0.1.0"

__all__ = [
    "OPS",
    "Backpropagation",
    "Bias",
    "Cell",
    "Child",
    "Context",
    "Contributions",
    "Cost",
    "Costs",
    "Counterfactuals",
    "Decays",
    "Finding",
    "GradientFlow",
    "Graph",
    "Input",
    "Ledger",
    "Listing",
    "Mistake",
    "Node",
    "Op",
    "Param",
    "Plan",
    "Randomised",
    "RealTime",
    "RecomputationCost",
    "RecomputationCosts",
    "Recomputed",
    "Report",
    "Rolled",
    "Saturation",
    "State",
    "StepBound",
    "Steps",
    "TheoremReport",
    "Truncated",
    "Unrolled",
    "Verdict",
    "WrittenJacobian",
    "bias_of_truncation",
    "bptt",
    "cell",
    "check_theorems",
    "compare_costs",
    "contributions",
    "cost_of",
    "count_paths",
    "counterfactuals",
    "decays",
    "draw_flow",
    "errors",
    "evaluate",
    "grad",
    "gradient_by_step",
    "gradient_flow",
    "hvp",
    "initialise",
    "intervene",
    "jacobian",
    "jvp",
    "latex",
    "let",
    "lint",
    "load",
    "path_ledger",
    "plan",
    "randomise",
    "recomputation_costs",
    "recompute",
    "roll",
    "rtrl",
    "saturation",
    "save",
    "step_bound",
    "step_jacobian",
    "sweep_bias",
    "sweep_initialisers",
    "sweep_radius",
    "symbols",
    "truncate",
    "unroll",
    "validate",
    "verify",
    "verify_graph",
    "vjp",
    "walk",
]


# These are loaded when they are first asked for: `import tinygraph` stays quick.
_LATE = {
    "Decays": ".flow.fading",
    "decays": ".flow.fading",
    "sweep_bias": ".flow.fading",
    "sweep_initialisers": ".flow.fading",
    "sweep_radius": ".flow.fading",
    "gradient_by_step": ".flow.per_step",
    "Saturation": ".flow.squashing",
    "saturation": ".flow.squashing",
    "Counterfactuals": ".flow.what_if",
    "counterfactuals": ".flow.what_if",
    "Cost": ".flow.costs",
    "Costs": ".flow.costs",
    "compare_costs": ".flow.costs",
    "cost_of": ".flow.costs",
    "RealTime": ".flow.real_time",
    "RecomputationCost": ".flow.recomputing",
    "RecomputationCosts": ".flow.recomputing",
    "recomputation_costs": ".flow.recomputing",
    "rtrl": ".flow.real_time",
    "walk": ".flow.by_hand",
    "Finding": ".verification.findings",
    "Mistake": ".verification.findings",
    "Verdict": ".verification.findings",
    "lint": ".verification.linting",
    "Listing": ".verification.listings",
    "symbols": ".verification.step_symbols",
    "Ledger": ".flow.paths",
    "count_paths": ".flow.paths",
    "path_ledger": ".flow.paths",
    "Contributions": ".flow.per_use",
    "contributions": ".flow.per_use",
    "GradientFlow": ".flow.summary",
    "gradient_flow": ".flow.summary",
    "TheoremReport": ".theorems.checking",
    "check_theorems": ".theorems.checking",
    "Bias": ".flow.truncation_bias",
    "Randomised": ".flow.truncation_bias",
    "bias_of_truncation": ".flow.truncation_bias",
    "draw_flow": ".flow.truncation_bias",
    "randomise": ".flow.truncation_bias",
    "Plan": ".planning.compiled",
    "plan": ".planning.compiled",
    "Report": ".verification.verification",
    "verify": ".verification.verification",
    "verify_graph": ".verification.verification",
    "StepBound": ".flow.word_bounds",
    "step_bound": ".flow.word_bounds",
    "Rolled": ".rolling",
    "roll": ".rolling",
    "Backpropagation": ".symbolic.written_gradients",
    "bptt": ".symbolic.written_gradients",
    "WrittenJacobian": ".symbolic.written_jacobians",
    "step_jacobian": ".symbolic.written_jacobians",
}


def __getattr__(name: str) -> Op:
    if name in OPS:
        return OPS[name]
    if name in _LATE:
        return getattr(import_module(_LATE[name], __name__), name)  # type: ignore[no-any-return]  # typed above
    raise AttributeError(f"module 'tinygraph' has no attribute {name!r}; {errors.nearest(name, [*__all__, *OPS])}")


def __dir__() -> list[str]:
    return sorted([*__all__, *OPS, "models", "viz"])
