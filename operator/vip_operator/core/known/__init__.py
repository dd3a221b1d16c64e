"""What the operator knows: objects as it read them, speakers, and which of them live. Pure."""
