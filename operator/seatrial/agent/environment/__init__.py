"""The environment pod: checks and seeds the services of a run, waits for its applications and opens the gate.

Its contract (input, events, gate) is in ARCHITECTURE.md, "The environment pod". The pod is never restarted
(`restartPolicy: Never`): initialisation SQL is run once and not tracked, since a marker in the database would be
seen by the tests. A pod that dies is the end of the run.

What this package imports stands between a created container and the first test, therefore it is little: the input is
parsed into dataclasses, the gate is made of asyncio's streams, and the client library of a service is imported when the
run has that service.
"""
