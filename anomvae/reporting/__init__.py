"""Results of scenes as one self-contained page."""
