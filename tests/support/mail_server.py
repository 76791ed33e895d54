"""A small mail server (RFC 5321) that keeps what it took, and may refuse."""

import trio


class FakeMailServer:
    """Takes mail over a real socket.

    Attributes:
        mails: what was sent, head and body. replies: by the verb, what is answered in place of yes.
    """

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.replies: dict[str, str] = {}
        self.port = 0

    async def start(self, nursery: trio.Nursery) -> None:
        listeners = await nursery.start(self._listen)
        self.port = listeners[0].socket.getsockname()[1]

    async def _listen(self, task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
        await trio.serve_tcp(self._serve, 0, host="127.0.0.1", task_status=task_status)

    async def _serve(self, stream: trio.SocketStream) -> None:
        lines = b""

        async def line() -> str:
            nonlocal lines
            while b"\r\n" not in lines:
                octets = await stream.receive_some(65_536)
                if not octets:
                    raise trio.EndOfChannel
                lines += octets
            first, _, lines = lines.partition(b"\r\n")
            return first.decode()

        async def say(text: str) -> None:
            await stream.send_all(text.encode() + b"\r\n")

        async with stream:
            await say("220 lab")
            while True:
                try:
                    said = await line()
                except (trio.EndOfChannel, trio.BrokenResourceError):
                    return
                verb = said.partition(" ")[0].upper()
                if verb in self.replies:
                    await say(self.replies[verb])
                elif verb == "EHLO":
                    await say("250 lab")
                elif verb == "DATA":
                    await say("354 go on")
                    mail: list[str] = []
                    while (text := await line()) != ".":
                        mail.append(text)
                    self.mails.append("\n".join(mail))
                    await say("250 taken")
                elif verb == "QUIT":
                    await say("221 bye")
                    return
                else:
                    await say("250 yes")
