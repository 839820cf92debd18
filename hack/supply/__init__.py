"""The supply chain: what is in an image, and whether something is known against it."""
