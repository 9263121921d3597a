"""What the world sees of a domain that sends and takes mail, with advice.

Asks what receivers ask and says what they make of it. Nothing but the DNS is asked: policies that
lie behind HTTPS are not fetched, no mail server is connected to.
"""

from milter.auth.diagnose.domain import diagnose
from milter.auth.diagnose.report import Diagnosis, Grade, Item

__all__ = ["Diagnosis", "Grade", "Item", "diagnose"]
