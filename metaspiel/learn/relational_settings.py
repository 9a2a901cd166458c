"""What networks that attend to entities are like, and checks of it."""

from dataclasses import dataclass
from typing import Literal, get_args

from metaspiel.nfg.errors import at_least, finite, unknown

Form = Literal["option", "concat", "bilinear", "mean"]
FORMS: tuple[Form, ...] = get_args(Form)
Marks = Literal["pooled", "concatenated"]
MARKS: tuple[Marks, ...] = get_args(Marks)


@dataclass(frozen=True, kw_only=True)
class Relations:
    """Networks over the agents and landmarks of a game; the defaults are MRA's.

    Attributes:
      latents: Z, relations that a graph network knows.
      form: how a latent chooses one. "option", a head of attention each; "concat", the
        latent beside what is seen; "bilinear", first weights for each; "mean", the same
        attention to everybody, which learns nothing (DeepSets).
      landmarks: "pooled", so that their order and number are free; "concatenated" to
        every entity, as in the paper.
      self_path: policy and critic embed an agent's own numbers; without, they see them
        only through the attention.
      unit: what is seen is multiplied by this first; at 3, an edge of the particle
        worlds is 3 from their middle, and critics learn twice as fast as at 1.
      temperature: tau, by which logits of attention are divided.
      hidden: units of most hidden layers.
      key: numbers in a key or query of a head.
      width: numbers in the embedding of an agent.
    """

    latents: int = 6
    form: Form = "option"
    landmarks: Marks = "pooled"
    self_path: bool = True
    unit: float = 3.0
    temperature: float = 8.0
    hidden: int = 32
    key: int = 16
    width: int = 64

    def __post_init__(self) -> None:
        at_least(self, latents=1, hidden=1, key=1, width=4)
        finite(self, "unit", "temperature")
        if self.form not in FORMS:
            raise unknown("Relations()", "form", self.form, FORMS)
        if self.landmarks not in MARKS:
            raise unknown("Relations()", "landmarks", self.landmarks, MARKS)
