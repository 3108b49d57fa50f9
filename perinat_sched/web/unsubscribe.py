"""The page behind the link of a reminder: stop them, or get them again.

Opening it changes nothing, because mail scanners follow links; its button does, and so does the one click of a mail
program (RFC 8058), which sends the same POST without a login. The address is signed: whoever has it has the mail.
"""

from __future__ import annotations

from aiohttp import web

from perinat_sched.i18n import Message, say
from perinat_sched.web.call import Call
from perinat_sched.web.pages import page, policy
from perinat_sched.web.schemas.base import NoQuery

POLICY = policy(forms=True)
GETS_THEM = Message(
    "This address gets the reminders of its videoconferences. The button below stops them; invitations, changes and "
    "cancellations still come."
)
GETS_NONE = Message("This address gets no reminders any more. Invitations, changes and cancellations still come.")


async def show(call: Call[NoQuery, None]) -> web.Response:
    return _page(call, stopped=await call.services.unsubscribing.stopped(call.path("token")))


async def stop(call: Call[NoQuery, None]) -> web.Response:
    await call.services.unsubscribing.stop(call.path("token"))
    return _page(call, stopped=True)


async def resume(call: Call[NoQuery, None]) -> web.Response:
    await call.services.unsubscribing.resume(call.path("token"))
    return _page(call, stopped=False)


def _page(call: Call[NoQuery, None], *, stopped: bool) -> web.Response:
    def said(message: Message) -> str:
        return say(message, call.language)

    public_url = call.services.settings.public_url
    action = f"{public_url}/unsubscribe/{call.path('token')}" + ("/undo" if stopped else "")
    answer = page(
        "unsubscribe",
        call.language,
        POLICY,
        root=f"{public_url}/",
        title=said(Message("No more reminders")) if stopped else said(Message("Reminders")),
        words=said(GETS_NONE if stopped else GETS_THEM),
        action=action,
        button=said(Message("Reminders again")) if stopped else said(Message("Stop the reminders")),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
