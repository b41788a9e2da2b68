"""Recipes: one command each from named data to weights with a model card."""
