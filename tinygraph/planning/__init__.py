"""The plan: a graph compiled to a flat list of NumPy calls. It knows nothing of cells, layers or time."""
