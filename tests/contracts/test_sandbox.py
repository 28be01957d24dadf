"""What the sandbox ships is what the checkout shows as its example."""

from pathlib import Path


def test_the_example_is_the_protocol_of_the_sandbox(project: Path) -> None:
    """The protocol.yaml of the checkout and the one that a drill uses are the same, byte for byte."""
    shipped = project / "src" / "crisis" / "sandbox" / "protocol.yaml"

    assert (project / "protocol.yaml").read_bytes() == shipped.read_bytes()
