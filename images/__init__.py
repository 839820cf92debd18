"""Container images of Seatrial: one Dockerfile each, built on public bases or on distribution packages."""
