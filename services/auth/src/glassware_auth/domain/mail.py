"""Mail, by the relay that the configuration names."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from glassware.config import Config
from glassware.problems import UnavailableProblem


def send(config: Config, to: str, subject: str, text: str) -> None:
    """Hand one mail to the relay. Raises UnavailableProblem when it does not take it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = config["mail.from"], to, subject
    message.set_content(text)
    try:
        host, port = config["mail.host"], config["mail.port"]
        with smtplib.SMTP(host, port, timeout=config["client.timeout"]) as relay:
            relay.send_message(message)
    except (OSError, smtplib.SMTPException):
        raise UnavailableProblem(
            "The mail with the link cannot be sent now.", headers={"Retry-After": "60"}
        ) from None
