"""All rings of tests in one run, side by side where that is no harm."""
