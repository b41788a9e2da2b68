"""Networks: torch modules whose trained weights come with MedFusion or from its recipes."""
