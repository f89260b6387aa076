"""The part of Google's sign-in a service account uses: a signed assertion for a short-lived token."""

import secrets
from typing import Any, Final
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from notifications.double.fcm import Answer

# google-auth names this as the audience whatever `token_uri` says.
AUDIENCE: Final = "https://oauth2.googleapis.com/token"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAIL: Final = "glovebox-demo@demo.invalid"


class SignIn:
    """One throw-away service account, and the tokens it was given."""

    def __init__(self, project: str, token_uri: str) -> None:
        self._project = project
        self._token_uri = token_uri
        self._key = RSAKey.generate_key(2048, private=True)
        self._tokens: set[str] = set()

    def account(self) -> dict[str, str]:
        """The service account file, as the console would hand it out."""
        return {
            "type": "service_account",
            "project_id": self._project,
            "private_key_id": secrets.token_hex(20),
            "private_key": self._key.as_pem(private=True).decode(),
            "client_email": MAIL,
            "client_id": "100000000000000000000",
            "token_uri": self._token_uri,
        }

    def token(self, form: bytes) -> Answer:
        """Answer a token request; invalid_grant for an assertion that is not our account's."""
        given = parse_qs(form.decode("ascii", "replace"))
        if given.get("grant_type") != [GRANT]:
            return Answer(400, {"error": "unsupported_grant_type"})
        try:
            claims = jwt.decode(given.get("assertion", [""])[0], self._key, ["RS256"]).claims
            genuine = claims["iss"] == MAIL and claims["aud"] in (AUDIENCE, self._token_uri)
        except (JoseError, KeyError, ValueError):
            genuine = False
        if not genuine:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._tokens.add(token)
        answer: dict[str, Any] = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        return Answer(200, answer)

    def knows(self, authorization: str | None) -> bool:
        """Whether a request bears a token of ours."""
        scheme, _, token = (authorization or "").partition(" ")
        return scheme == "Bearer" and token in self._tokens
