"""faults: answers of an API server that go wrong, for ApiServer.fault()."""

from .apiserver import Answer, error


def cut_after(count):
    """The connection breaks off after so many bytes of the body."""
    def limited(body):
        left = count
        for piece in body:
            if len(piece) >= left:
                yield piece[:left]
                return
            left -= len(piece)
            yield piece

    def answer(_, usual):
        whole = usual()
        whole.body, whole.cut, whole.chunked = limited(whole.body), True, True
        return whole

    return answer


def in_pieces(size):
    """The body in chunks of so many bytes."""
    def split(body):
        for piece in body:
            for at in range(0, len(piece), size):
                yield piece[at:at + size]

    def answer(_, usual):
        whole = usual()
        whole.body, whole.chunked = split(whole.body), True
        return whole

    return answer


def slowly(pieces, seconds, server):
    """The body in so many chunks, a pause before each."""
    def split(body):
        data = b"".join(body)
        for number in range(pieces):
            server.wait_until_closed(seconds)
            yield data[len(data) * number // pieces:len(data) * (number + 1) // pieces]

    def answer(_, usual):
        whole = usual()
        whole.body, whole.chunked = split(whole.body), True
        return whole

    return answer


def ends_after(pieces):
    """A watch that the server ends, as it may at any time."""
    def limited(body):
        for number, piece in enumerate(body, 1):
            yield piece
            if number == pieces:
                return

    def answer(_, usual):
        whole = usual()
        whole.body = limited(whole.body)
        return whole

    return answer


def silent_after(pieces, server):
    """The server, or the way to it, dies without a word."""
    def limited(body):
        for number, piece in enumerate(body):
            if number == pieces:
                break
            yield piece
        server.wait_until_closed()

    def answer(_, usual):
        whole = usual() if pieces else Answer()
        whole.body = limited(whole.body)
        return whole

    return answer


def recorded(chunks, server):
    """A watch whose body was recorded, byte for byte; it then stays open."""
    def body():
        yield from chunks
        server.wait_until_closed()

    return lambda *_: Answer(200, body())


def refuses(code, message="no", **headers):
    """A Status of the API server."""
    return lambda *_: error(code, message, **headers)


def says(code, text, content_type="text/plain; charset=utf-8"):
    """What a proxy says in place of the API server."""
    return lambda *_: Answer(code, [text], content_type, chunked=False)


PROXY_DOWN = says(500, b"dial tcp 127.0.0.1:16443: connect: connection refused\n")
NOT_FOUND = says(404, b"404 page not found\n")
HTML = says(502, b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>\r\n",
            "text/html")
HTML_AS_SUCCESS = says(200, b"<html>\n<body>Please log in</body>\n</html>\n", "text/html")
