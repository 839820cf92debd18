"""Chart values for a cluster into which the images of this checkout were loaded."""
