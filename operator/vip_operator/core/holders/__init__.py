"""Who holds each election, and how its candidates stand. Pure."""
