"""Who does it, how often, and is it still right. See README.md in this folder."""
