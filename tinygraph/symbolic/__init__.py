"""Formulas from graphs and cells."""
