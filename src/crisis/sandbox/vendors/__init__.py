"""Fake vendors: real shapes, real refusals, and a memory."""
