"""How a command ends that refuses its input."""


def refused(ran, code, *words):
    """Check that a command ended with its code and one line on stderr that names the words."""
    assert ran.code == code, ran.err
    assert ran.out == ""
    errors = [line for line in ran.err.splitlines() if not line.startswith("WARNING")]
    assert len(errors) == 1, ran.err
    assert errors[0].startswith("Error: ")
    for word in words:
        assert word in errors[0]
