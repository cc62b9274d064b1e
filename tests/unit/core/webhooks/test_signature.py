"""Signatures against the specification's published example, hmac, and the library that receivers are told to use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
import standardwebhooks

from regrow.core.webhooks.signature import new_secret, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'


def test_the_published_example() -> None:
    signature = sign(SECRET, ID, TIMESTAMP, BODY)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    assert base64.b64decode(signature.removeprefix("v1,")) == hmac.new(key, signed, hashlib.sha256).digest()


@pytest.mark.parametrize("body", [b'{"test": 2432232314}', '{"name": "Bjøntegaard"}'.encode(), b""])
def test_the_library_of_the_specification_accepts_it(body: bytes) -> None:
    secret, now = new_secret(), int(time.time())
    headers = {"webhook-id": ID, "webhook-timestamp": str(now), "webhook-signature": sign(secret, ID, now, body)}
    standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(standardwebhooks.WebhookVerificationError, match="No matching signature"):
        standardwebhooks.Webhook(secret).verify(body + b" ", headers, json_parse=False)
    with pytest.raises(standardwebhooks.WebhookVerificationError, match="No matching signature"):
        standardwebhooks.Webhook(new_secret()).verify(body, headers, json_parse=False)


def test_all_that_is_signed_matters() -> None:
    signatures = {
        sign(SECRET, ID, TIMESTAMP, BODY),
        sign(new_secret(), ID, TIMESTAMP, BODY),
        sign(SECRET, ID + "x", TIMESTAMP, BODY),
        sign(SECRET, ID, TIMESTAMP + 1, BODY),
        sign(SECRET, ID, TIMESTAMP, BODY + b" "),
    }
    assert len(signatures) == 5


def test_secrets_are_as_long_as_the_specification_wants() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert 24 <= len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) <= 64
