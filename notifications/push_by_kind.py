"""Firebase for apps and Web Push for browsers as one push service; what is not set up refuses."""

from collections.abc import Sequence

from notifications.push import Push, PushError, PushMessage, PushRefused


class PushByKind:
    """Each message goes by the service of its kind of address."""

    def __init__(self, apps: Push | None, browsers: Push | None) -> None:
        self._apps, self._browsers = apps, browsers

    def send_all(self, messages: Sequence[PushMessage]) -> list[str | PushError]:
        """In the order of the messages, though they go by two ways."""
        came: dict[int, str | PushError] = {}
        for service, is_for_browsers in ((self._apps, False), (self._browsers, True)):
            mine = [n for n, one in enumerate(messages) if (one.kind == "webpush") is is_for_browsers]
            some = [messages[n] for n in mine]
            found = service.send_all(some) if service else [_not_set_up(one) for one in some]
            came.update(zip(mine, found, strict=True))
        return [came[n] for n in range(len(messages))]


def _not_set_up(message: PushMessage) -> PushRefused:
    return PushRefused(f"no push service is set up for {message.kind}")
