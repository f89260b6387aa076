from dataclasses import replace
from datetime import UTC, datetime, timedelta

from payments.evidence import (
    MOST_IN_LOG,
    MOST_IN_ONE,
    MOST_PHOTOS,
    Accepted,
    DoorEvent,
    Photographed,
    Record,
    evidence,
)
from payments.money import Money

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
UNLOCKED = DoorEvent(
    "unlock",
    "pho_1",
    START,
    START + timedelta(seconds=1),
    START + timedelta(seconds=3),
    "confirmed (readings)",
)
RECORD = Record(
    rental="ren_1",
    car="smart EQ fortwo",
    plate="GB-1-FR",
    driver="Max Member",
    email="max@example.org",
    booked_at=START - timedelta(days=1),
    from_at=START,
    to_at=START + timedelta(hours=3),
    started_at=START + timedelta(minutes=1),
    ended_at=START + timedelta(hours=2),
    km=12,
    quoted=[("3 hours", Money(1800, "EUR"))],
    quoted_total=Money(1800, "EUR"),
    charged=[("2 hours", Money(1200, "EUR")), ("Discount", Money(-50, "EUR"))],
    charged_total=Money(1150, "EUR"),
    accepted=[Accepted("rental-2026-1", START - timedelta(days=1), "Bring it back clean.")],
    doors=[UNLOCKED, replace(UNLOCKED, what="lock")],
    ladder=[(24, 50)],
)


def test_it_says_what_was_agreed_accepted_opened_driven_and_charged() -> None:
    found = evidence(RECORD)
    assert found["customer_name"] == "Max Member"
    assert found["service_date"] == "2027-03-01"
    assert "12 km" in found["product_description"]
    assert "2027-03-01 09:00:00 UTC unlock asked from phone pho_1" in found["access_activity_log"]
    assert (
        "rental-2026-1, accepted in the app on 2027-02-28 09:00:00 UTC" in found["refund_policy_disclosure"]
    )
    assert "less than 24 h before the start: 50 %" in found["refund_policy_disclosure"]
    assert "Total: 18.00 EUR" in found["uncategorized_text"]
    assert "Discount: -0.50 EUR" in found["uncategorized_text"]


def test_what_did_not_happen_is_not_claimed() -> None:
    bare = replace(RECORD, started_at=None, ended_at=None, km=None, charged=(), charged_total=None, doors=())
    found = evidence(bare)
    assert "access_activity_log" not in found
    assert "odometer" not in found["product_description"]
    assert "Receipt" not in found["uncategorized_text"]
    assert all(found.values())


def test_it_stays_within_what_the_bank_reads_however_long_the_rental_was() -> None:
    long = replace(
        RECORD,
        doors=[UNLOCKED] * 5000,
        accepted=[Accepted("x", START, "word " * 20_000)],
        quoted=[("3 hours", Money(1800, "EUR"))] * 5000,
    )
    found = evidence(long)
    assert len(found["access_activity_log"]) == MOST_IN_LOG
    assert all(len(text) <= max(MOST_IN_LOG, MOST_IN_ONE) for text in found.values())
    assert sum(map(len, found.values())) < 30_000


def test_the_same_records_give_the_same_evidence() -> None:
    assert evidence(RECORD) == evidence(RECORD)


def test_photos_are_listed_with_the_time_they_came_and_their_hash() -> None:
    one = Photographed("unlock", "left", "driver", START, "ab" * 32)
    told = evidence(replace(RECORD, photos=[one]))["uncategorized_text"]
    assert f"2027-03-01 09:00:00 UTC unlock, left, by the driver: {'ab' * 32}" in told
    assert "Photos" not in evidence(RECORD)["uncategorized_text"]
    many = evidence(replace(RECORD, photos=[one] * (MOST_PHOTOS + 3)))["uncategorized_text"]
    assert (many.count("ab" * 32), many.endswith("and 3 more")) == (MOST_PHOTOS, True)
