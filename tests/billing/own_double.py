"""Stripe's double inside the test process: the SDK asks it over a real socket, the test turns its knobs directly."""

import threading
from types import TracebackType
from typing import Any, Self

from payments.double.deliveries import Endpoint
from payments.double.server import App, serve
from payments.double.world import Body


class OwnDouble:
    """As `RunningDouble`, without a process: thousands of steps look at its objects."""

    def __enter__(self) -> Self:
        self._server, self.app = serve(0, Endpoint())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="double")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
        self.app.deliveries.stop()

    def post(self, verb: str, **body: Any) -> Any:
        return self._control("POST", verb, body)

    def get(self, verb: str, **wanted: str) -> Any:
        return self._control("GET", verb, wanted)

    def _control(self, method: str, verb: str, body: Body) -> Any:
        with self.app.world.lock:
            return self.app.control.answer(method, verb, body)

    def of_kind(self, kind: str) -> list[Body]:
        """Its objects, newest first."""
        with self.app.world.lock:
            return self.app.world.of_kind(kind)

    def is_well(self) -> None:
        """No fault waits, and its balance covers what is asked."""
        with self.app.world.lock:
            self.app.control.faults.clear()
            self.app.world.short_of_money = False

    def moods(self, customer: str, number: str) -> None:
        """The bank thinks anew of every card of a customer: from now on they behave as that test card."""
        with self.app.world.lock:
            for card in self.app.world.of_kind("payment_method"):
                if card["customer"] == customer:
                    self.app.world.numbers[card["id"]] = number

    def forget_all(self) -> None:
        """A new account at the provider, today."""
        app: App = self.app
        with app.world.lock:
            for one in (app.world.objects, app.world.numbers, app.world.bank_payouts, app.control.keys):
                one.clear()
            app.world.confirmed.clear()
            app.world.delivered.clear()
            app.control.log.clear()
            app.world._offset = 0
        self.is_well()
