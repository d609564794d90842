"""What notifiers name that stands elsewhere: the receiver to fall back to, a severity of the scale.

Whether their secrets can be read is for `crosscheck`.
"""

from collections.abc import Iterator

from alert_router.config import codes
from alert_router.config.crosscheck import defined_receivers
from alert_router.config.model import Config
from alert_router.model.problem import Problem, did_you_mean
from alert_router.notify.base import Notifier
from alert_router.yaml_source import Document, Location
from alert_router.yaml_source.mask import clip


def fallbacks(config: Config) -> set[str]:
    """The receivers that some notifier falls back to."""
    return {
        notifier.fallback
        for receiver in config.receivers
        for notifier in receiver.notifiers
        if notifier.fallback
    }


def notifier_problems(main: Document, config: Config) -> Iterator[Problem]:
    """Fallbacks to receivers that there are not, or to the notifier's own, and severities that
    the scale does not have."""
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            location: Location = ("receivers", index, "notifiers", number)
            yield from _fallback(main, notifier, receiver.name, (*location, "fallback"))
            yield from _severity(main, config, notifier, (*location, "min_severity"))


def _fallback(
    main: Document, notifier: Notifier, own: str, location: Location
) -> Iterator[Problem]:
    if not notifier.fallback:
        return
    node, _ = main.find(location)
    defined = list(defined_receivers(main))
    if notifier.fallback not in defined:
        message = f"there is no receiver `{clip(notifier.fallback)}`"
        hint = did_you_mean(notifier.fallback, defined, f"there are: {', '.join(defined)}")
        yield main.problem(codes.UNDEFINED_RECEIVER, message, node.place, hint=hint)
    elif notifier.fallback == own:
        message = "a notifier cannot fall back to its own receiver"
        hint = "name another one, which is told by another way"
        yield main.problem(codes.INVALID_VALUE, message, node.place, hint=hint)


def _severity(
    main: Document, config: Config, notifier: Notifier, location: Location
) -> Iterator[Problem]:
    scale = config.severities.scale()
    try:
        if notifier.min_severity:
            scale.named(notifier.min_severity)
    except LookupError:
        node, _ = main.find(location)
        known = [value for grade in scale.grades for value in sorted(grade.values)]
        message = f"`min_severity`: no grade has the word or value `{clip(notifier.min_severity)}`"
        hint = did_you_mean(notifier.min_severity, known, f"there are: {', '.join(known)}")
        yield main.problem(codes.INVALID_VALUE, message, node.place, hint=hint)
