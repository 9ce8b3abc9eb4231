"""The gateway is killed while clients write by HTTP: what was answered with 204 is there once."""

from __future__ import annotations

import http.client
import threading
from collections import Counter

from tests.http_ingest import http_site

KILLS = 3
CLIENTS = 4
REQUESTS = 60


def test_every_reading_that_was_answered_is_there_once(tmp_path):
    """Each client repeats a request under its key until it is answered, over several SIGKILLs."""
    with http_site(tmp_path) as site:
        tokens = [site.token(f"pump-{client}") for client in range(CLIENTS)]
        answered: list[tuple[str, int]] = []
        progress, up = threading.Event(), threading.Event()
        up.set()

        def client(number: int) -> None:
            for request in range(REQUESTS):
                body = f"tank level={request} {1_790_000_000 + request}".encode()
                while not send(number, body, str(request)):
                    assert up.wait(60)
                answered.append((f"pump-{number}", request))
                progress.set()

        def send(number: int, body: bytes, key: str) -> bool:
            try:
                answer = site.write(tokens[number], body, "/write?precision=s", Idempotency_Key=key)
            except (OSError, http.client.HTTPException):
                return False
            return answer.status == 204

        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            progress.clear()
            assert progress.wait(30)
            up.clear()
            site.gateway.program.kill()
            site.start()
            up.set()
        for thread in threads:
            thread.join(120)
        found = Counter((device, round(value)) for device, _, _, value in site.readings())
        assert set(found) == set(answered)
        assert set(found.values()) == {1}
        assert len(answered) == CLIENTS * REQUESTS
