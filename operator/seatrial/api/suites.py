"""The test suites of a run."""
# ruff: noqa: RUF012, TC001 - pydantic copies mutable defaults and evaluates annotations

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from seatrial.api.applications import Env, Resources
from seatrial.api.base import Arguments, DnsLabel, Image, ShortText, SpecModel, cel, cel_rules
from seatrial.api.services import ConfigMapSource
from seatrial.api.timeouts import Timeout


class Pytest(SpecModel):
    """What pytest is called with."""

    paths: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^-]")]],
        Field(max_length=64),
    ] = []
    """Files, folders or node ids, relative to the image's working directory."""
    markers: ShortText = ""
    """Marker expression (`-m`)."""
    keyword: ShortText = ""
    """Keyword expression (`-k`)."""
    args: Arguments = []
    """More arguments."""


class JUnit(SpecModel):
    """Results of a suite that is not pytest."""

    path: Annotated[str, Field(max_length=512, pattern=r"^(/[a-zA-Z0-9_-][a-zA-Z0-9._-]*){2,}$")]
    """The JUnit XML file that the suite writes, as an absolute path. Its folder becomes an empty, writable volume."""


_NEEDS_IMAGE = "a suite with junit needs an image"
_NO_TESTS_FROM = "junit and testsFrom are both set: keep one"
_NO_PYTEST = "junit and pytest are both set: keep one"
_NO_SHARDS = "shards and retries work with pytest only: remove them or junit"
_NO_COMMAND = "command and args are for suites with junit: give pytest its arguments as pytest.args"


class Suite(SpecModel):
    """A containerised test suite; it runs as a Job."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel("!has(self.junit) || has(self.image)", _NEEDS_IMAGE),
            cel("!has(self.junit) || !has(self.testsFrom)", _NO_TESTS_FROM),
            cel("!has(self.junit) || !has(self.pytest)", _NO_PYTEST),
            cel("!has(self.junit) || (self.shards == 1 && self.retries == 0)", _NO_SHARDS),
            cel("has(self.junit) || (size(self.command) == 0 && size(self.args) == 0)", _NO_COMMAND),
        ),
    )

    name: DnsLabel
    """Name of the suite."""
    image: Image | None = None
    """Container image with Python and pytest, or with anything that writes JUnit XML. The product's suite image when
    absent."""
    tests_from: ConfigMapSource | None = None
    """Test files from a ConfigMap, for a first try that needs no image."""
    pytest: Pytest | None = None
    """What pytest is called with."""
    junit: JUnit | None = None
    """The suite is not pytest: its results are in this JUnit XML file."""
    command: Arguments = []
    """With junit: replaces the image's entry point."""
    args: Arguments = []
    """With junit: replaces the image's arguments."""
    env: Env = []
    """Environment variables, beside the connection variables of the services."""
    shards: Annotated[int, Field(ge=1, le=32)] = 1
    """Number of pods that share the suite's tests."""
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    """How often a failing test is tried again. A pass after a failure counts as passed and flaky."""
    timeout: Timeout = "10m"
    """How long the tests may take, from the moment when the environment is ready."""
    run_as_user: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    """User id, for images whose user is root or has no number."""
    resources: Resources = Resources()
    """Compute resources of each shard."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.junit is None:
            if self.command or self.args:
                raise ValueError(_NO_COMMAND)
            return self
        if self.image is None:
            raise ValueError(_NEEDS_IMAGE)
        if self.tests_from is not None:
            raise ValueError(_NO_TESTS_FROM)
        if self.pytest is not None:
            raise ValueError(_NO_PYTEST)
        if self.shards > 1 or self.retries > 0:
            raise ValueError(_NO_SHARDS)
        return self
