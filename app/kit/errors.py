"""Every refusal the product knows, as one tree; a 500 is a bug.

Problem                     status, slug, may_have_acted, temporary
├── 400 Malformed · IdempotencyKeyMissing · SignatureInvalid
├── 401 Unauthenticated · SessionRevoked · CredentialsWrong
├── 402 CardNeeded · CardDeclined · PaymentActionRequired · Arrears
├── 403 NotAllowed · EmailUnconfirmed · PasswordNeeded · ScopeMissing · PlaceHidden
├── 404 NotFound
├── 409 CarTaken · OutsideWindows · OutsideRules · OwnCar · StepNotAllowed · NotReady · CommandOpen · BoxRefused
│       CarLent · NotInsurable · AlreadyExists · InUse · LastOwner · IdempotencyBusy
├── 410 InvitationGone · QuoteExpired
├── 412 PreconditionFailed · 428 PreconditionRequired
├── 422 Validation · CodeInvalid · IdempotencyKeyReused
├── 429 RateLimited
├── 503 Unavailable (temporary)
└── 504 BoxSilent (may have acted)

Each answers two questions for its caller: may it have acted all the same, and is it temporary?
"""

from typing import Any, ClassVar


class Problem(Exception):
    """A refusal with an RFC 9457 document: `detail` says what is wrong and what would be right."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    may_have_acted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False
    keeps: bool = False
    """Raised inside a transaction, it is committed all the same: a counted try, a session that ends."""

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.members = members
        self.headers: dict[str, str] = {}


class Malformed(Problem):
    status, slug, title = 400, "malformed", "The request cannot be read"


class IdempotencyKeyMissing(Problem):
    status, slug, title = 400, "idempotency-key-missing", "An Idempotency-Key is needed"


class SignatureInvalid(Problem):
    status, slug, title = 400, "signature-invalid", "The signature does not verify"


class Unauthenticated(Problem):
    status, slug, title = 401, "unauthenticated", "Sign in first"


class SessionRevoked(Problem):
    status, slug, title = 401, "session-revoked", "This session has ended"
    keeps = True


class CredentialsWrong(Problem):
    status, slug, title = 401, "credentials-wrong", "E-mail or password is wrong"


class CardNeeded(Problem):
    status, slug, title = 402, "card-needed", "A card is needed"


class CardDeclined(Problem):
    status, slug, title = 402, "card-declined", "The card was declined"


class PaymentActionRequired(Problem):
    status, slug, title = 402, "payment-action-required", "The bank asks for a confirmation"


class Arrears(Problem):
    status, slug, title = 402, "arrears", "An earlier rental is not paid"


class NotAllowed(Problem):
    status, slug, title = 403, "not-allowed", "This is not yours to do"


class EmailUnconfirmed(Problem):
    status, slug, title = 403, "email-unconfirmed", "Confirm your e-mail address first"


class PasswordNeeded(Problem):
    status, slug, title = 403, "password-needed", "Give your password again"


class ScopeMissing(Problem):
    status, slug, title = 403, "scope-missing", "This client may not do that"


class PlaceHidden(Problem):
    status, slug, title = 403, "place-hidden", "The exact place is not shown yet"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "Not found"


class CarTaken(Problem):
    status, slug, title = 409, "car-taken", "Car taken"


class OutsideWindows(Problem):
    status, slug, title = 409, "outside-windows", "The car is not offered then"


class OutsideRules(Problem):
    status, slug, title = 409, "outside-rules", "The rules of this car do not allow that"


class OwnCar(Problem):
    status, slug, title = 409, "own-car", "This is your own car"


class StepNotAllowed(Problem):
    status, slug, title = 409, "step-not-allowed", "That step is not possible now"


class NotReady(Problem):
    status, slug, title = 409, "not-ready", "Not ready yet"


class CommandOpen(Problem):
    status, slug, title = 409, "command-open", "The box is busy with another command"


class BoxRefused(Problem):
    status, slug, title = 409, "box-refused", "The box refused"


class CarLent(Problem):
    status, slug, title = 409, "car-lent", "The car is lent"


class NotInsurable(Problem):
    status, slug, title = 409, "not-insurable", "This rental cannot be insured"


class AlreadyExists(Problem):
    status, slug, title = 409, "already-exists", "That exists already"


class InUse(Problem):
    status, slug, title = 409, "in-use", "That is still in use"


class LastOwner(Problem):
    status, slug, title = 409, "last-owner", "A community needs an owner"


class IdempotencyBusy(Problem):
    status, slug, title = 409, "idempotency-busy", "The same request is still running"
    temporary = True


class InvitationGone(Problem):
    status, slug, title = 410, "invitation-gone", "This invitation can no longer be used"


class QuoteExpired(Problem):
    status, slug, title = 410, "quote-expired", "This quote has expired"


class PreconditionFailed(Problem):
    status, slug, title = 412, "precondition-failed", "It has changed meanwhile"


class Validation(Problem):
    status, slug, title = 422, "validation", "Some values are wrong"


class CodeInvalid(Problem):
    status, slug, title = 422, "code-invalid", "This code is not valid"
    keeps = True


class IdempotencyKeyReused(Problem):
    status, slug, title = 422, "idempotency-key-reused", "This Idempotency-Key belongs to another request"


class PreconditionRequired(Problem):
    status, slug, title = 428, "precondition-required", "If-Match is needed"


class RateLimited(Problem):
    status, slug, title = 429, "rate-limited", "Too many requests"
    temporary = True


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "Not available for the moment"
    temporary = True

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        super().__init__(detail, **members)
        self.headers["Retry-After"] = "5"


class BoxSilent(Problem):
    status, slug, title = 504, "box-silent", "The box did not answer"
    may_have_acted = True
    temporary = True


BY_SLUG: dict[str, type[Problem]] = {one.slug: one for one in Problem.__subclasses__()}
