"""Billing: cards, holds, captures, refunds and the ledger."""
