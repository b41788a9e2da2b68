"""Data that the library reads: colour tables."""
