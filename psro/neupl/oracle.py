"""A neural population as an oracle and an evaluator of the loop.

A population of codes is shown to teachers and evaluators as the policies that the codes
stand for, each a member like any other. They never learn that one network plays them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.random import Generator

from psro.parts import Population, Response, Table, Target
from psro.setup import Evaluator, Oracle


@runtime_checkable
class Student(Protocol):
    """Protocol of students: a conditional network that learns policies by codes."""

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to say about the network, as JSON values."""

    def initial(self, population: Population, rng: Generator) -> Population:
        """A population of codes that play as the policies of the one given."""

    def realised(self, population: Population) -> Population:
        """The policies that the codes of a population stand for, uid by uid."""

    def prepared(self, teacher: Oracle, population: Population) -> Oracle:
        """The teacher with what the student can tell it of a population of codes."""

    def learn(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """The population with codes for the chosen responses that are new to it.

        Where a code is added the weights change, and with them every policy: all
        members get new uids. A response that a code plays already is counted there.
        """


@dataclass(frozen=True, eq=False)
class NeuralOracle:
    """An oracle whose responses are distilled into one network.

    Attributes:
      teacher: gives the best responses, against the policies that codes stand for.
      student: learns them.
    """

    teacher: Oracle
    student: Student

    def initial(self, rng: Generator) -> Population:
        """The teacher's first policies, as the student plays them."""
        return self.student.initial(self.teacher.initial(rng), rng)

    def respond(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response]:
        """The teacher's responses to mixtures of what the student plays."""
        teacher = self.student.prepared(self.teacher, population)
        return teacher.respond(self.student.realised(population), targets, rng)

    def measure(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response] | None:
        """What the teacher knows without training."""
        return self.teacher.measure(self.student.realised(population), targets, rng)

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """Distils the responses; the student says what came of it in ``notes``."""
        return self.student.learn(population, chosen, rng)


@dataclass(frozen=True, eq=False)
class RealisedEvaluator:
    """Payoffs of the policies that codes stand for, not of their teachers.

    Attributes:
      inner: evaluator of populations of separate policies.
      student: whose policies are played.
    """

    inner: Evaluator
    student: Student

    @property
    def ensemble(self) -> int:
        """The number of members of the ensemble, E."""
        return self.inner.ensemble

    def fill(self, population: Population, table: Table, rng: Generator) -> Table:
        """``table`` with no cell missing."""
        return self.inner.fill(self.student.realised(population), table, rng)
