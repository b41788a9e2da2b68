"""Invertible decompositions: pyramids, wavelets, directional bands, two-scale splits; and denoising."""
