"""The parts of the service that live as long as its app."""

from __future__ import annotations

from dataclasses import dataclass

from glassware.config import Config, ConfigError
from glassware_auth.domain.keys import KeyRing
from glassware_auth.domain.passwords import Passwords


@dataclass(frozen=True)
class Authority:
    """The configuration, the signing keys, and the hasher of passwords."""

    config: Config
    keys: KeyRing
    passwords: Passwords

    @classmethod
    def of(cls, config: Config) -> Authority:
        """Return the parts for a configuration. Raises ConfigError where it contradicts itself."""
        if config["auth.signing_algorithm"] not in config["auth.algorithms"]:
            raise ConfigError("auth.algorithms must have auth.signing_algorithm in it")
        if config["auth.registration"] == "open" and not (
            config["mail.host"] or config.development
        ):
            raise ConfigError("auth.registration is open: set mail.host, to send the links to")
        return cls(config, KeyRing(config), Passwords(config["auth.hashes_at_once"]))

    @property
    def open_registration(self) -> bool:
        return self._allowed("auth.registration", "open")

    @property
    def password_grant(self) -> bool:
        return self._allowed("auth.password_grant", "on")

    def _allowed(self, option: str, yes: str) -> bool:
        return self.config[option] in (yes, "development" if self.config.development else yes)
