"""How the gradient flows through time: contributions, Jacobian products, bounds, and the proof that all agree."""
