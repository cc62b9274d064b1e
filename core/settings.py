"""How settings are read from environment variables named REGROW_*, and refused in one line."""

from __future__ import annotations

import logging
import os
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from regrow.core.errors import InvalidSettings
from regrow.core.setting_kinds import told, unknown_settings


class Settings(BaseSettings):
    """Raises InvalidSettings, in one line that names the variable, where one has a bad value.

    An empty variable is as none: a compose file cannot leave one out.
    """

    model_config = SettingsConfigDict(env_prefix="REGROW_", env_file=None, env_ignore_empty=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            # One sentence for each variable: where one may be of several types, each says why it is none of its.
            sentences = {str(each["loc"][:1]): _sentence(each) for each in reversed(error.errors())}
            raise InvalidSettings("; ".join(reversed(sentences.values()))) from error


def warn_of_unknown_settings() -> None:
    """A line in the log about environment variables that look like settings and are none. Once for each process."""
    unknown = unknown_settings(os.environ)
    if unknown:
        logging.getLogger("regrow.settings").warning("%s", told(unknown))


def _sentence(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"REGROW_{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message
