"""A small shop for people who take their cup seriously."""
