"""ONE table: fact -> what follows from it."""

from app.kit.facts import Reactions

TABLE: Reactions = {}
