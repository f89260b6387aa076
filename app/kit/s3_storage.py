"""Files in a bucket of S3 or of whoever speaks its protocol (MinIO, Ceph, Garage, R2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.kit.errors import Unavailable
from app.kit.storage import AWAY, Kept, NotKeptError, checked

if TYPE_CHECKING:
    from obstore.store import S3Config

WITHIN, RETRIES = timedelta(seconds=10), 2
LIST_BY = 1000
REFUSED = (BaseError, OSError)
"""The client says some things in errors of its own, others in Python's."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`place` is `s3://bucket` or `s3://bucket/prefix`; `endpoint` is empty for Amazon's own."""

    place: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str


class S3Storage:
    """Requests are signed (SigV4), tried again by the client, and given up after ten seconds."""

    def __init__(self, bucket: Bucket) -> None:
        where = urlsplit(bucket.place)
        self._store = S3Store(
            where.netloc,
            prefix=where.path.strip("/") or None,
            endpoint=bucket.endpoint or None,
            region=bucket.region,
            config=_key(bucket),
            disable_bulk_delete=True,  # not every one who speaks S3 has it
            client_options={
                "allow_http": bucket.endpoint.startswith("http://"),
                "timeout": WITHIN,
                "connect_timeout": WITHIN,
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": WITHIN},
        )

    def put(self, name: str, data: bytes) -> None:
        try:
            obstore.put(self._store, checked(name), data, use_multipart=False)
        except REFUSED as error:
            raise Unavailable(AWAY) from error

    def get(self, name: str) -> bytes:
        try:
            return bytes(obstore.get(self._store, checked(name)).bytes())
        except FileNotFoundError as error:
            raise NotKeptError(name) from error
        except REFUSED as error:
            raise Unavailable(AWAY) from error

    def delete(self, name: str) -> None:
        try:
            obstore.delete(self._store, checked(name))
        except FileNotFoundError:
            return
        except REFUSED as error:
            raise Unavailable(AWAY) from error

    def kept(self) -> Iterator[Kept]:
        try:
            for some in obstore.list(self._store, chunk_size=LIST_BY):
                for one in some:
                    yield Kept(one["path"], one["last_modified"])
        except REFUSED as error:
            raise Unavailable(AWAY) from error

    def forget_halves(self, before: datetime) -> int:
        """A bucket takes a whole object or none."""
        del before
        return 0


def _key(bucket: Bucket) -> "S3Config":
    """Without a key of its own the machine's role is used, as Amazon hands it out."""
    if not bucket.access_key:
        return {}
    return {"access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key}
