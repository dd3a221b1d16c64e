"""The agent: follows what is wanted, runs the gates, tells the engine, serves HTTP."""
