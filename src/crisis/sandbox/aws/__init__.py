"""An AWS account to drill on: moto behind real HTTP, with IAM enforced, and with faults, delays and limits."""
