"""Each formula of the example: the right form passes, and the printed one is rejected for the reason stated here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from helpers.examples import FOLDER, load_example

PATH = FOLDER / "04_the_formula_in_my_lecture.py"

# The kind of the mistake, and a part of what the lint says of it.
REASONS = {
    "line_do": ("target", "set to 1 in place of decreased by 1"),
    "line_dh": ("missing term", "from before_4 to h_3"),
    "line_da": ("missing factor", "the derivative is left out"),
    "line_dU": ("value", "h in place of before"),
    "line_dbefore": ("matrix", "V.T in place of U.T"),
    "transposed_product": ("transpose", "W_rec.T in place of W_rec"),
    "only_the_forget_gate": ("missing term", "the 3 terms with tanh'(c[t-1])"),
    "mixed_conventions": ("transpose", "the whole gradient is transposed"),
    "averaged_twice": ("scale", "1/5 times the right one, one over the number of examples"),
    "wrong_shape": ("shape", "(5, 2) in place of (3, 2)"),
    "lstm_expansion": ("time", "c_2 in place of c_1"),
    "bound_of_the_delays": ("missing term", "L_4, L_5 of the loss"),
    "layer_below": ("layer", "layer1/h_1 in place of layer2/h_1"),
    "clipping": ("function", "sqrt is left out"),
    "singular_value": ("condition", "not sufficient"),
}


EXAMPLE = load_example("04_the_formula_in_my_lecture")


def test_every_case_has_its_reason():
    assert set(REASONS) == set(EXAMPLE.cases())


@pytest.mark.parametrize("name", REASONS)
def test_the_right_form_passes_and_the_printed_one_is_rejected_for_its_reason(name):
    case = EXAMPLE.cases()[name]()
    assert case.right.ok, str(case.right)
    assert not case.wrong.ok
    kind, text = REASONS[name]
    assert case.wrong.mistake.kind == kind
    assert text in case.wrong.mistake.text


@pytest.mark.parametrize("name", EXAMPLE.WRONG_LINES)
def test_the_line_at_fault_is_the_only_one_named(name):
    case = EXAMPLE.char_rnn_line(name)
    assert [finding.line for finding in case.wrong.wrong] == [EXAMPLE.WRONG_LINES[name][0]]


def test_it_runs_as_a_program(tmp_path):
    command = [sys.executable, PATH, "--short", "--out", "new"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the right form: accepted") == done.stdout.count("WRONG") == len(REASONS)
    found = json.loads((tmp_path / "new" / "formulas.json").read_text(encoding="utf-8"))
    assert all(entry["right"]["ok"] and not entry["wrong"]["ok"] for entry in found.values())
