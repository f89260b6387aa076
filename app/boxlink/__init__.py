"""boxlink: the process that speaks MQTT. Claims, checks again, publishes, applies outcomes, takes readings; several share
the boxes.
"""

from app.boxlink.process import BoxLink

__all__ = ["BoxLink"]
