import pytest

from tests.contract.stripe_key import WITH, WITHOUT, said


def test_a_run_says_whether_it_was_on_the_double_alone() -> None:
    assert said("") == WITHOUT
    assert said("sk_test_x") == said("rk_test_x") == WITH


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x", "pk_test_x", "whsec_x"])
def test_a_key_of_real_money_runs_no_test(key: str) -> None:
    with pytest.raises(pytest.UsageError):
        said(key)
