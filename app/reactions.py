"""ONE table: fact -> what follows from it, each reaction in its own savepoint, run by workers. The chain of the product."""

from collections.abc import Callable
from typing import Any

from app import facts
from app.billing import capture
from app.coverage import report
from app.kit.facts import Fact, Reactions
from app.messages import tell
from app.rentals import expire, extend, receipts

OTHERS: dict[type[Fact], tuple[Callable[[Any], None], ...]] = {
    facts.MemberRemoved: (expire.cancel_of_member,),
    facts.RentalEnded: (capture.on_ended, receipts.on_ended),
    facts.RentalCancelled: (capture.on_cancelled,),
    facts.RentalNoShow: (capture.on_no_show,),
    facts.RentalDeclined: (capture.on_dropped,),
    facts.RentalWithdrawn: (capture.on_dropped,),
    facts.RentalLapsed: (capture.on_dropped,),
    facts.PaymentSucceeded: (receipts.on_paid,),
    facts.PaymentHeld: (extend.on_held,),
    facts.PaymentFailed: (extend.on_failed,),
    facts.CoverBound: (report.tell,),
    facts.CoverActivated: (report.tell,),
    facts.CoverExtended: (report.tell,),
    facts.CoverOverrun: (report.tell,),
    facts.CoverClosed: (report.tell,),
    facts.CoverVoided: (report.tell,),
}
TABLE: Reactions = {
    kind: (*OTHERS.get(kind, ()), *tell.REACTIONS.get(kind, ())) for kind in facts.kinds().values()
}
NOTHING_FOLLOWS: dict[type[Fact], str] = {}
"""Facts without a reaction, and why; a guard test wants one or the other."""
