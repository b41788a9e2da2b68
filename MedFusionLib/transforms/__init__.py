"""Invertible decompositions: pyramids and wavelets."""
