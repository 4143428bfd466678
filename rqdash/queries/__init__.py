"""Reads: a backend in, values of the model out; never a write."""
