"""Tests of the disclosure domain."""
