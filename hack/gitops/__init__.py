"""Programs that judge TestRuns with the libraries of Argo CD and Flux themselves."""
