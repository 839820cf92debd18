"""The one kind of error that people see."""


class ImageError(Exception):
    """An image cannot be built; the message names the object, what was seen, and what to do next."""
