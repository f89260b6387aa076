"""What an owner earned before the measuring begins."""

from datetime import timedelta
from typing import Any

import psycopg

from bench.seed import Seeded


def earnings(db: psycopg.Connection[Any], seeded: Seeded) -> str:
    """What the owner earned in one month of a tenth of all rentals, with their receipts; returns the month."""
    at = (seeded.now - timedelta(days=45)).replace(day=15)
    values = {"owner": seeded.owner, "at": at, "many": seeded.scale.rentals // 10}
    with db.transaction():
        db.execute(
            "create temporary table earned on commit drop as select gen_random_uuid() as rental, n from"
            " generate_series(1, %(many)s) n",
            values,
        )
        db.execute(
            "insert into ledger_entries (kind, source_type, source_id, rental_id, at)"
            " select 'capture', 'bench', rental::text, rental, %(at)s + n * interval '1 second' from earned",
            values,
        )
        db.execute(
            "insert into postings (entry_id, account, subject, amount, currency)"
            " select e.id, p.account, case when p.account = 'owner_payable' then %(owner)s end, p.amount, 'EUR'"
            " from ledger_entries e join earned on e.rental_id = earned.rental, (values ('stripe_clearing', 2700),"
            " ('owner_payable', -2025), ('premium_reserve', -270), ('platform_revenue', -337), ('vat_payable', -68))"
            " as p (account, amount)",
            values,
        )
        db.execute(
            "insert into document_series (name, last, last_at, head) values ('BENCH', %(many)s, %(at)s, '')",
            values,
        )
        db.execute(
            "insert into documents (id, series, no, kind, rental_id, part, amount, currency, payload, hash, issued_at)"
            " select gen_random_uuid(), 'BENCH', n, 'receipt', rental, 'price', 2700, 'EUR', '{\"car\": \"smart EQ fortwo\"}',"
            " '', %(at)s from earned",
            values,
        )
    for table in ("ledger_entries", "postings", "documents"):
        db.execute(f"vacuum analyze {table}")
    return f"{at:%Y-%m}"
