"""Trained weights: one safetensors file and one model card (JSON) each."""
