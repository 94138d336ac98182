"""Statements about recurrent gradients as checks that can fail, a family a file; `checking` runs them all."""
