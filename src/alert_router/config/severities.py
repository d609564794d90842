"""The `severities` of the main file: which there are, from the worst down, and how they look.

What is left out is as built in. What is done with them is not decided here.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from alert_router.fields import written
from alert_router.model.severity import CRITICAL, INFO, STANDARD, WARNING, Grade, Scale

_KNOWN = {grade.word.lower(): grade for grade in (CRITICAL, WARNING, INFO)}

Lower = Annotated[str, AfterValidator(str.lower)]
Colour = Annotated[str, written(r"#[0-9A-Fa-f]{6}", "a colour such as '#d00000', in quotes")]
Terminal = Literal["red", "yellow", "blue", "green", "magenta", "cyan", "white"]
Values = Annotated[
    tuple[Lower, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GradeModel(_Model):
    """One severity; `values` are those of the label that mean it."""

    word: str = Field(min_length=1, max_length=40)
    values: Values = Field(min_length=1)
    emoji: str = Field("", max_length=8)
    colour: Colour | None = None
    terminal: Terminal | None = None

    def grade(self) -> Grade:
        """With the looks of the built-in one of the same word for what is left out."""
        like = _KNOWN.get(self.word.lower(), WARNING)
        return Grade(
            word=self.word,
            emoji=self.emoji or like.emoji,
            colour=self.colour or like.colour,
            terminal=self.terminal or like.terminal,
            values=frozenset(self.values),
        )


class Severities(_Model):
    """The scale as written; without `grades`, the built-in one."""

    label: str = Field("severity", min_length=1)
    grades: tuple[GradeModel, ...] = ()
    default: Lower = ""

    @model_validator(mode="after")
    def _each_value_once(self) -> Self:
        values = [value for grade in self.grades for value in grade.values]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"`grades`: a value can mean one severity only: {', '.join(twice)}")
        try:
            self.scale()
        except LookupError:
            raise ValueError(
                f"`default`: none of `grades` has the word or value {self.default!r}"
            ) from None
        return self

    def scale(self) -> Scale:
        """What notifications carry. Raises LookupError where `default` is none of it."""
        grades = tuple(grade.grade() for grade in self.grades) or STANDARD.grades
        scale = Scale(grades, grades[-1], STANDARD.resolved, self.label)
        default = self.default or "warning"
        try:
            otherwise = scale.named(default)
        except LookupError:
            if self.default:
                raise
            otherwise = grades[0]  # nobody said: told as the worst rather than missed
        return Scale(grades, otherwise, STANDARD.resolved, self.label)
