r"""LaTeX symbols in plain characters, for text and pictures: \tilde h is h̃, \alpha is α, \mathrm{ab} is ab.

Only what symbols are made of is known: letters, accents, fonts. Of any other command its name is left.
"""

from __future__ import annotations

import re
from unicodedata import normalize

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
_SIGNS = GREEK | {
    "varepsilon": "ε", "vartheta": "ϑ", "varphi": "ϕ", "ell": "ℓ", "partial": "∂", "nabla": "∇", "prime": "′",
    "star": "⋆", "ast": "∗", "top": "⊤", "odot": "⊙", "cdot": "·", "times": "×", "infty": "∞", "to": "→",
    "rightarrow": "→", "leftarrow": "←", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ",
    "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "backslash": "\\", "sim": "~",
}  # fmt: skip
_ACCENTS = {
    "tilde": "\u0303", "widetilde": "\u0303", "hat": "\u0302", "widehat": "\u0302", "bar": "\u0304",
    "overline": "\u0305", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7", "check": "\u030c", "breve": "\u0306",
}  # fmt: skip
_FONTS = ("mathrm", "mathbf", "mathit", "mathsf", "mathcal", "boldsymbol", "bm", "text", "textrm", "operatorname")
_TOKEN = re.compile(r"\\([A-Za-z]+) ?|\\(.)|([{}])|(.)", re.DOTALL)


def spelled(latex: str) -> str:
    """The symbol in plain characters; an accent stands on the letter that it is written for."""
    out: list[str] = []
    accents: list[str] = []  # met, and waiting for their letter
    for match in _TOKEN.finditer(latex):
        command, escaped, brace, character = match.groups()
        if command in _ACCENTS:
            accents.append(_ACCENTS[command])
        if brace or command in _ACCENTS or command in _FONTS or escaped in (",", ";", "!", ":"):
            continue
        found = escaped or character or _SIGNS.get(command, command)
        while accents and found.strip():
            found += accents.pop()
        out.append(found)
    return normalize("NFC", "".join(out)).strip()
