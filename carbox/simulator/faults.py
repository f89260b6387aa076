"""What may go wrong with a box, and how often."""

from dataclasses import dataclass
from typing import Final

FAULTS: Final = {
    "none": "nothing goes wrong any more",
    "refuse": "every command fails",
    "mute": "it takes commands, does nothing and answers nothing; requests it answers",
    "silent": "it reacts to nothing that it is sent",
    "slow": "it does and answers after so many seconds, and nothing else meanwhile",
    "late": "it does at once, and answers so many seconds later",
    "answer_lost": "it does, and the answer is lost",
    "executes_twice": "it does and answers twice",
    "answers_twice": "it does once and answers twice",
    "cut": "it does, its connection ends before the answer and is made again at once",
    "crash": "it does, dies before the answer and is back after so many seconds",
    "frozen": "the connection stays, nothing is read or sent until this is changed",
    "stalled": "the same for so many seconds, then all that was on its way arrives",
    "stalls": "it stalls as the next command comes, for so many seconds; then that arrives too",
    "offline": "the connection ends and stays away",
    "reconnect": "the connection ends and is made again at once",
}
OF_THE_LINK: Final = frozenset({"frozen", "stalled", "stalls", "offline", "reconnect"})
"""These befall the link, not single commands."""


@dataclass(slots=True)
class Fault:
    """`seconds` of the box; `times`: how many commands it still befalls, -1 = until it is changed."""

    kind: str = "none"
    seconds: float = 0.0
    times: int = -1
    began_at: float = 0.0

    def stalls(self, now: float) -> bool:
        return self.kind == "frozen" or (self.kind == "stalled" and now < self.began_at + self.seconds)
