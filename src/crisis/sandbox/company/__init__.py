"""Company: what a security breach may reach beside the shop: an account, a vault, members' sessions, vendors' keys."""
