"""Against whom the contract of payments was run: the double always, Stripe's test mode with STRIPE_TEST_KEY."""

import os

import pytest

NAME = "STRIPE_TEST_KEY"
WITHOUT = f"payments contract: run on the double alone. With {NAME}=sk_test_... it runs on Stripe's test mode (README)."
WITH = "payments contract: run on Stripe's test mode."


def said(key: str) -> str:
    """The line for the end of a run. Raises UsageError for a key that is not one of test mode."""
    if key and not key.startswith(("sk_test_", "rk_test_")):
        raise pytest.UsageError(f"{NAME} must begin with sk_test_ or rk_test_: no test touches real money")
    return WITH if key else WITHOUT


class StripeKey:
    """Says it at the end of a run that had such tests, whichever process ran them."""

    def __init__(self) -> None:
        self._line, self._ran = said(os.environ.get(NAME, "")), False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._ran = self._ran or ("test_payments_" in report.nodeid and "contract" in report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._ran:
            terminalreporter.write_line(self._line)
