"""Embedded servers, workers and producers for a first look."""
