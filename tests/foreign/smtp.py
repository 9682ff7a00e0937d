# A mail server that nobody here wrote: aiosmtpd, on a free port of this machine. Its argument is a JSON object:
#   tls          "none", "starttls" or "implicit"
#   certificate, key   files in PEM, where there is TLS
#   credentials  [user, password] that are required, or null
#   sign_in      whether it offers AUTH at all
#   refuse       {command: reply} in place of what it would answer; "CONTENT" is the letter itself
#   hang         a command after which it is silent for ever, besides "CONNECT", "HANDSHAKE" and "CONTENT"; or null
# A line on its standard input is a JSON object that takes the place of `refuse`, for connections to come.
# Each line that it prints is a JSON object: {"port"} first, then {"heard", "tls"} for whatever a client sends,
# {"mail"} for each letter, {"closed"} when a connection has ended and {"refusing"} when it has changed its mind.
import asyncio
import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])
HOST = "127.0.0.1"


def tell(**line):
    print(json.dumps(line), flush=True)


async def silence():
    await asyncio.Event().wait()


def part(message, kind):
    found = message.get_body((kind,))
    return found.get_content().replace("\r\n", "\n") if found else None


class Handler:
    async def handle_DATA(self, server, session, envelope):
        if options["hang"] == "CONTENT":
            await silence()
        if "CONTENT" in options["refuse"]:
            return options["refuse"]["CONTENT"]
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            mail={
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "user": session.auth_data.login.decode() if session.auth_data else None,
                "headers": {name.lower(): str(value) for name, value in message.items()},
                "kinds": [inner.get_content_type() for inner in message.iter_parts()],
                "text": part(message, "plain"),
                "html": part(message, "html"),
                "defects": [str(defect) for inner in message.walk() for defect in inner.defects],
            }
        )
        return "250 OK"


class Server(SMTP):
    def data_received(self, data):
        tell(heard=data.decode("utf-8", "replace"), tls=self.transport.get_extra_info("ssl_object") is not None)
        super().data_received(data)

    def connection_lost(self, error):
        try:
            super().connection_lost(error)
        finally:
            tell(closed=True)

    async def _handle_client(self):
        if options["hang"] != "CONNECT":
            return await super()._handle_client()
        try:
            await silence()
        finally:
            self.transport.close()


def replying(reply):
    async def method(self, arg):
        await self.push(reply)

    return method


async def waiting(self, arg):
    await silence()


async def no_handshake(self, arg):
    await self.push("220 Ready to start TLS")
    await silence()


def refuse(replies):
    for command in options["refuse"].keys() - {"CONTENT"}:
        delattr(Server, f"smtp_{command}")
    options["refuse"] = replies
    for command in replies.keys() - {"CONTENT"}:
        setattr(Server, f"smtp_{command}", replying(replies[command]))
    tell(refusing=True)


def listen(loop):
    for line in sys.stdin:
        loop.call_soon_threadsafe(refuse, json.loads(line))


if options["hang"] == "HANDSHAKE":
    Server.smtp_STARTTLS = no_handshake
elif options["hang"] not in (None, "CONNECT", "CONTENT"):
    setattr(Server, f"smtp_{options['hang']}", waiting)


def authenticate(server, session, envelope, mechanism, data):
    user, password = options["credentials"]
    known = data.login == user.encode() and data.password == password.encode()
    return AuthResult(success=known, handled=False, auth_data=data if known else None)


async def main():
    context = None
    if options["tls"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options["certificate"], options["key"])
    loop = asyncio.get_running_loop()
    starttls = options["tls"] == "starttls"

    def protocol():
        return Server(
            Handler(),
            hostname="mail.example",
            loop=loop,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            auth_required=options["credentials"] is not None,
            auth_require_tls=starttls,
            auth_exclude_mechanism=[] if options["sign_in"] else ["LOGIN", "PLAIN"],
            authenticator=authenticate if options["credentials"] else None,
        )

    wrapped = context if options["tls"] == "implicit" else None
    server = await loop.create_server(protocol, HOST, 0, ssl=wrapped)
    tell(port=server.sockets[0].getsockname()[1])
    replies, options["refuse"] = options["refuse"], {}
    refuse(replies)
    threading.Thread(target=listen, args=(loop,), daemon=True).start()
    await server.serve_forever()


asyncio.run(main())
