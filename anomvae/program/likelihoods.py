"""Likelihoods by name, as far as a score depends on them (`anomvae.models.likelihoods`)."""

DEGREES = {"student-t": 4.0}
"""Degrees of freedom of Student's t; those that are not named are normal."""
