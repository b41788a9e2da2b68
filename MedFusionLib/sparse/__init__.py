"""Sparse coding: orthogonal matching pursuit, dictionary learning, convolutional sparse coding."""
