"""Law: duties to tell of an incident as data, facts that people state, and the clocks that follow. Counsel decides."""
