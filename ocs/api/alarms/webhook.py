"""Notices to an address of the operator's choice: JSON, signed, to addresses that listeners may have too."""

from collections.abc import Sequence
from typing import Final

from ocs.api.alarms.views import change_record
from ocs.api.tmf.callback import CallbackFailedError, CallbackPolicy, post
from ocs.api.tmf.delivery import signature
from ocs.api.tmf.resources import encode_body
from ocs.faults.alarm_change import AlarmChange
from ocs.faults.notices.sender import NoticeFailedError, NoticeRefusedError
from ocs.limits import WEBHOOK_NOTICES_MAX

# What a client did wrong is wrong the next time too; but for these (RFC 9110 section 15.5.9, RFC 6585 section 4).
_WRONG: Final = range(400, 500)
_LATER: Final = frozenset({408, 425, 429})


class WebhookSender:
    """Posts changes to an address.

    Args:
        name: of the recipient, which the body names. secret: signs the body; empty for no signature.

    Raises:
        CallbackError: it is none that we call.
    """

    def __init__(self, policy: CallbackPolicy, address: str, *, name: str, secret: str = "") -> None:
        self.batch_max = WEBHOOK_NOTICES_MAX
        self._policy = policy
        self._target = policy.target(address)
        self._name = name
        self._secret = secret

    async def send(self, changes: Sequence[AlarmChange]) -> None:
        """Post all of them at once. Cancelled, the listener may have them."""
        told = [
            {"change_id": change.change_id, **change_record(change), "kind": str(change.told_as)}
            for change in changes
        ]
        body = encode_body({"recipient": self._name, "changes": told})
        headers = {"X-Hub-Signature": signature(self._secret, body)} if self._secret else {}
        try:
            status = await post(self._policy, self._target, body, headers)
        except CallbackFailedError as error:
            raise NoticeFailedError(str(error)) from None
        if status in _WRONG and status not in _LATER:
            raise NoticeRefusedError(f"it answered {status}")
        if not 200 <= status < 300:
            raise NoticeFailedError(f"it answered {status}")
