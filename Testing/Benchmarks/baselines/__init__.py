"""What others would write with NumPy, SciPy and scikit-image: the measure for our speed."""
