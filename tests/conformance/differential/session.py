"""Runs one script against one server and keeps what it answers."""
import select
import socket
import struct
import time

from harness import codec
from harness.codec import Count, Raw, Undecodable
from harness.wire import Closed

from .language import ScriptError, look_up, put
from .render import Renderer
from .transcript import Entry, codes

ANSWER_SECONDS = 6
AWAIT_SECONDS = 30
API_VERSIONS = 18
# Errors that pass by themselves, which `await` waits out.
PASSING = {"COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR",
           "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PARTITION", "NOT_LEADER_OR_FOLLOWER",
           "UNKNOWN_TOPIC_ID", "REBALANCE_IN_PROGRESS", "BROKER_NOT_AVAILABLE"}


# What a script can do wrong, and what a server that ended does.
FAULTS = (ScriptError, codec.UnknownField, struct.error, LookupError, TypeError, ValueError, AttributeError, OSError)


class Unexpected(ScriptError):
    """An answer is not what the script says it must be on any server."""


class Link:
    """One connection, opened when first needed and again after the server closed it."""

    def __init__(self, port):
        self.port, self.socket, self.correlation = port, None, 0
        self.waiting = []  # requests sent and not received: (paragraph, version, correlation)

    def open(self):
        if self.socket is None:
            self.socket = socket.create_connection(("localhost", self.port), timeout=ANSWER_SECONDS)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.socket

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def send(self, content):
        try:
            self.open().sendall(content)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed before it read everything; read() tells

    def _take(self, size):
        out = b""
        while len(out) < size:
            try:
                part = self.socket.recv(size - len(out))
            except ConnectionResetError:
                part = b""
            if not part:
                self.close()
                raise Closed
            out += part
        return out

    def read(self):
        """One frame; None when nothing comes."""
        try:
            [size] = struct.unpack(">i", self._take(4))
            return self._take(size)
        except TimeoutError:
            self.close()
            return None


class Session:
    def __init__(self, node, script, catalog, masks):
        self.node, self.script, self.catalog = node, script, catalog
        self.places = {str(node.port): "PORT", str(node.controller_port): "CPORT",
                       str(node.directory): "DIR"}
        self.renderer = Renderer(masks, script.settings, self.places, hides_unserved=node.server == "kafka")
        self.links = {"main": Link(node.port)}
        self.variables = {"PORT": node.port, "CPORT": node.controller_port, "DIR": str(node.directory)}
        self.entries = []

    def run(self):
        try:
            for paragraph in self.script.paragraphs:
                try:
                    self._step(paragraph)
                except FAULTS as error:
                    raise ScriptError(f"{self.script.name}.script:{paragraph.line}: "
                                      f"{type(error).__name__}: {error}") from error
        finally:
            for link in self.links.values():
                link.close()
        return self.entries

    def _step(self, paragraph):
        getattr(self, f"_do_{paragraph.verb}")(paragraph)

    def _link(self, name):
        if (name or "main") not in self.links:
            raise ScriptError(f"no connection {name}")
        return self.links[name or "main"]

    # --- Verbs

    def _do_on(self, paragraph):
        self.links["main"].close()
        self.links["main"] = Link({"broker": self.node.port,
                                   "controller": self.node.controller_port}[paragraph.words])

    def _do_connect(self, paragraph):
        name, _, where = paragraph.words.partition(" ")
        if name in self.links:
            self.links[name].close()
        self.links[name] = Link(self.node.controller_port if where == "controller" else self.node.port)
        self.links[name].open()

    def _do_close(self, paragraph):
        self._link(paragraph.words).close()

    def _do_pause(self, paragraph):
        time.sleep(float(paragraph.words.removesuffix("ms")) / 1000)

    def _do_raw(self, paragraph):
        """raw [connection] hex: bytes as they are, then whatever comes back."""
        link = self.links["main"]
        # The server may answer or not: give it a connection of its own and wait for the end or a frame.
        link.close()
        link.send(bytes.fromhex(paragraph.words))
        self._keep(paragraph, 0, "", self._receive_raw(link), None)

    def _receive_raw(self, link):
        try:
            ready, _, _ = select.select([link.open()], [], [], 1.0)
            if not ready:
                link.close()
                return "no answer"
            frame = link.read()
        except Closed:
            return "close"
        return "answer"

    def _do_receive(self, paragraph):
        link = self._link(paragraph.words)
        if not link.waiting:
            raise ScriptError(f"nothing was sent on {paragraph.words}")
        sent, version, correlation = link.waiting.pop(0)
        text, values = self._receive(link, sent.api, version, correlation)
        paragraph.api = sent.api
        self._keep(paragraph, version, "", text, values)

    def _do_call(self, paragraph):
        for label, variables, tried in list(paragraph.variations(self.variables)):
            for version in paragraph.versions:
                env = {**self.variables, **variables, "v": version}
                fields = {name: value(env) for name, value in paragraph.fields}
                if tried is not None:
                    fields = put(fields, *tried)
                self._call(paragraph, version, label, fields, env)

    def _call(self, paragraph, version, label, fields, env):
        modifiers = {name: value if value is True else value(env) for name, value in paragraph.modifiers.items()}
        request = self._message(paragraph.api)
        body_version = modifiers.get("as", version)
        mangles = [name for name in ("cuts", "nulls", "counts", "tags", "trailing") if modifiers.get(name) is True]
        for name in mangles:
            getattr(self, f"_mangle_{name}")(paragraph, request, version, label, fields, modifiers)
        if mangles:
            return
        body = codec.encode(request, body_version, fields) + modifiers.get("more", b"")
        if "size" in modifiers:
            body = body[:modifiers["size"]]
        link = self._link(paragraph.connection)
        if modifiers.get("fresh"):
            link.close()
        if modifiers.get("send"):
            correlation = self._send(link, request, version, body, modifiers)
            link.waiting.append((paragraph, version, correlation))
            return
        deadline = time.monotonic() + AWAIT_SECONDS
        while True:
            text, values = self._ask(link, paragraph.api, request, version, body, modifiers)
            passing = PASSING & set(codes(text))
            if not modifiers.get("await") or not passing or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self._keep(paragraph, version, label, text, values)

    def _message(self, api):
        if api not in self.catalog.requests:
            raise ScriptError(f"no API {api}")
        return self.catalog.requests[api]

    def _keep(self, paragraph, version, label, text, values, weight=1):
        for name, path in paragraph.lets:
            value = look_up(values or {}, path)
            self.variables[name] = value
            if isinstance(value, bytes) and len(value) == 16 or isinstance(value, str) and len(value) > 20:
                self.renderer.name(value, f"${name}")
        if paragraph.lets:
            text = self.renderer.answer(self.catalog.responses[paragraph.api], values)
        for wanted in paragraph.expects:
            found = codes(text)
            met = {"close": text == "close", "no answer": text == "no answer",
                   "answer": text.startswith("{"), "no error": text.startswith("{") and not found}
            if not met.get(wanted, wanted in found):
                raise Unexpected(f"expected {wanted}, not v{version} {label}: {text}")
        self.entries.append(Entry(paragraph.title or "receive", paragraph.api, version, label, text, weight))

    # --- One request

    def _send(self, link, request, version, body, modifiers):
        link.correlation += 1
        correlation = modifiers.get("correlation", link.correlation)
        flexible = version in request.flexible or version > request.versions.high and not request.flexible.empty()
        header = modifiers.get("header", 2 if flexible else 1)
        client = modifiers.get("client", "script")
        head = struct.pack(">hhi", modifiers.get("key", request.key), version, correlation)
        if header >= 1:
            head += client if isinstance(client, Raw) else codec.length(
                None if client is None else len(client.encode()), False, False) + (client or "").encode()
        if header >= 2:
            head += modifiers.get("headertags", b"\0")
        frame = head + body
        link.send(struct.pack(">i", modifiers.get("frame", len(frame))) + frame)
        return correlation

    def _ask(self, link, api, request, version, body, modifiers=None):
        """(text, values) of the answer."""
        modifiers = modifiers or {}
        correlation = self._send(link, request, version, body, modifiers)
        if modifiers.get("silent"):
            return self._probe(link), None
        return self._receive(link, api, version, correlation)

    def _probe(self, link):
        """After a request that wants no answer: whether the connection still serves the next one."""
        probe = self.catalog.requests["ApiVersions"]
        correlation = self._send(link, probe, 0, b"", {"correlation": 0x7000})
        try:
            frame = link.read()
        except Closed:
            return "close"
        return "no answer" if frame and frame[:4] == struct.pack(">i", correlation) else "an answer"

    def _receive(self, link, api, version, correlation):
        if link.socket is None:
            return "close", None
        try:
            frame = link.read()
        except Closed:
            return "close", None
        if frame is None:
            return "no answer", None
        response = self.catalog.responses[api]
        if frame[:4] != struct.pack(">i", correlation):
            return f"an answer to another request: {frame[:4].hex()}", None
        at = 4
        if response.key == API_VERSIONS:
            # Never a flexible header; an unknown version is answered in version 0.
            version = version if version in self.catalog.requests[api].versions else 0
        elif version in response.flexible:
            if frame[4:5] != b"\0":
                return f"tagged fields in the header: {frame[:20].hex()}", None
            at = 5
        try:
            values = codec.decode(response, version, frame[at:])
        except Undecodable as error:
            return f"not readable ({error}): {frame[at:at + 60].hex()}", None
        return self.renderer.answer(response, values), values

    # --- Requests broken in every place in turn

    def _mangled(self, paragraph, request, version, label, what, body, modifiers):
        text, _ = self._ask(self._link(paragraph.connection), paragraph.api, request, version, body, modifiers)
        self._keep(paragraph, version, f"{label} {what}".strip(), text, None)

    def _mangle_cuts(self, paragraph, request, version, label, fields, modifiers):
        """The body ends early, at each of its bytes."""
        body = codec.encode(request, version, fields)
        found = []  # [first cut, last cut, answer]
        for size in range(len(body)):
            text, _ = self._ask(self._link(paragraph.connection), paragraph.api, request, version, body[:size],
                                modifiers)
            if found and found[-1][2] == text:
                found[-1][1] = size
            else:
                found.append([size, size, text])
        if len(found) == 1:
            text = found[0][2]
        else:
            text = "; ".join(f"{low}-{high}: {text}" for low, high, text in found)
        if body:
            self._keep(paragraph, version, f"{label} cuts".strip(), text, None, weight=len(body))

    def _mangle_nulls(self, paragraph, request, version, label, fields, modifiers):
        """Each field that has a length is null in turn, allowed or not."""
        for path, field in codec.fields_of(request, version):
            if field.is_array or field.is_struct() or field.type in ("string", "bytes", "records"):
                self._with(paragraph, request, version, label, fields, modifiers, path, "null", None)

    def _mangle_counts(self, paragraph, request, version, label, fields, modifiers):
        """Each length tells more than there is, or less than nothing."""
        for path, field in codec.fields_of(request, version):
            flexible = version in (field.flexible or request.flexible)
            for size in (-2, 2**31 - 1, 1_000_000):
                wide = field.is_array or field.type in ("bytes", "records")
                if not wide and field.type != "string" or field.is_struct() and not field.is_array:
                    continue
                if flexible:
                    value = Raw(codec.varint((size + 1) & 0xFFFFFFFF))
                elif wide:
                    value = Raw(struct.pack(">i", size))
                else:
                    value = Raw(struct.pack(">h", {-2: -2, 1_000_000: 30000}.get(size, 32767)))
                self._with(paragraph, request, version, label, fields, modifiers, path, f"length {size}", value)

    def _with(self, paragraph, request, version, label, fields, modifiers, path, what, value):
        arrays, place = {p for p, f in codec.fields_of(request, version) if f.is_array}, ""
        for depth in range(1, len(path) + 1):
            place += ("." if place else "") + path[depth - 1]
            if path[:depth] in arrays and depth < len(path):
                place += "[0]"
        body = codec.encode(request, version, put(fields, place, value))
        self._mangled(paragraph, request, version, label, f"{place} {what}", body, modifiers)

    def _mangle_trailing(self, paragraph, request, version, label, fields, modifiers):
        """Bytes behind the end."""
        body = codec.encode(request, version, fields)
        for more in (b"\0", b"\xff" * 7):
            self._mangled(paragraph, request, version, label, f"and {more.hex()}", body + more, modifiers)

    def _mangle_tags(self, paragraph, request, version, label, fields, modifiers):
        """Tagged fields that nobody knows, that come twice, that lie about their size."""
        if version not in request.flexible:
            return
        body = codec.encode(request, version, fields)
        if not body.endswith(b"\0"):
            return
        head = body[:-1]
        for what, tail in (("unknown tag", b"\x01\x63\x02ab"), ("two unknown tags", b"\x02\x63\x00\x64\x00"),
                           ("descending tags", b"\x02\x64\x00\x63\x00"),
                           ("the same tag twice", b"\x02\x63\x00\x63\x00"),
                           ("a tag too long", b"\x01\x63\x7fab"), ("more tags than there are", b"\x7f\x63\x00"),
                           ("a count of six bytes", b"\xff\xff\xff\xff\xff\x01"),
                           ("two thousand million tags", b"\xff\xff\xff\xff\x07")):
            self._mangled(paragraph, request, version, label, what, head + tail, modifiers)
