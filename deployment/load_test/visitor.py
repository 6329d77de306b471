# SPDX-License-Identifier: Apache-2.0
"""A simulated visitor (Locust user): join, position, wait, token, purchase."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event
from locust import task
from locust.contrib.fasthttp import FastHttpUser
from locust.exception import StopUser

from deployment.load_test.record import Record, Request, VisitorRecord
from deployment.load_test.target import RoomUnderTest
from deployment.visitor_model.polling import RETRY_SPREAD, ask_after, next_poll, retry_after, spread

MOST_TRIES = 40  # attempts of one request; then the visitor leaves
JSON = {"Content-Type": "application/json"}


@dataclass
class LoadTestRun:
    """State that the visitors of a test share. ``arrivals`` in seconds since ``began``."""

    target: RoomUnderTest
    arrivals: list[float]
    record: Record = field(default_factory=Record)
    began: float = field(default_factory=time.monotonic)
    over: Event = field(default_factory=Event)
    arrived: int = 0
    left: int = 0

    @property
    def now(self) -> float:
        """Seconds since the start of the test."""
        return time.monotonic() - self.began

    def next_arrival(self) -> float:
        """Return the arrival time of the next visitor."""
        self.arrived += 1
        return self.arrivals[self.arrived - 1]

    @property
    def all_left(self) -> bool:
        """Whether all visitors have left."""
        return self.left >= len(self.arrivals)


class VisitorLeft(Exception):
    """The visitor leaves; the message states the reason."""


class Visitor(FastHttpUser):
    """One visitor; its greenlet then waits, so that Locust does not start a replacement."""

    load_run: LoadTestRun
    network_timeout = 30.0
    connection_timeout = 10.0
    max_retries = 0
    insecure = False

    @task
    def run_visitor(self) -> None:
        """Run the visitor from arrival to purchase."""
        load_run = self.load_run
        arrival = load_run.next_arrival()
        gevent.sleep(max(0.0, arrival - load_run.now))
        visitor = VisitorRecord(arrived=load_run.now)
        load_run.record.visitors.append(visitor)
        try:
            self._run(visitor)
        except VisitorLeft as why:
            visitor.ended = str(why)
        finally:
            load_run.left += 1
        load_run.over.wait()
        raise StopUser

    def _run(self, visitor: VisitorRecord) -> None:
        event = self.load_run.target.event_id
        joined = self._ask("join", "POST", "/assign_queue_num", json={"event_id": event})
        if joined.status_code != 200:
            raise VisitorLeft(f"the join returned status {joined.status_code}")
        visitor.joined, request_id = self.load_run.now, joined.json()["api_request_id"]
        visitor.number = self._number(request_id)
        visitor.learned = self.load_run.now
        access_token = ""
        while not access_token:
            self._wait_for(visitor.number)
            access_token = self._token(request_id)
        visitor.admitted = self.load_run.now
        if self.load_run.target.store_api:
            url = f"{self.load_run.target.store_api}/checkout"
            bought = self._ask("store", "GET", url, headers={"Authorization": access_token})
            if bought.status_code != 200:
                raise VisitorLeft(f"the store returned status {bought.status_code}")
            visitor.paid = self.load_run.now

    def _number(self, request_id: str) -> int:
        query = f"event_id={self.load_run.target.event_id}&request_id={request_id}"
        asked = 0
        while True:
            self._pause(ask_after(asked))
            answer = self._ask("queue_num", "GET", f"/queue_num?{query}")
            if answer.status_code == 200:
                return int(answer.json()["queue_number"])
            if answer.status_code != 202:
                raise VisitorLeft(f"queue_num returned status {answer.status_code}")
            asked += 1

    def _wait_for(self, number: int) -> None:
        idle = 0
        while True:
            answer = self._ask("status", "GET", f"/status?event_id={self.load_run.target.event_id}")
            if answer.status_code != 200:
                raise VisitorLeft(f"status returned status {answer.status_code}")
            said = answer.json()
            ahead = number - said["serving_counter"]
            if ahead <= 0:
                return
            chance = random.random()  # nosec B311 - a simulated choice
            gevent.sleep(next_poll(ahead, said, chance, idle))
            idle = idle + 1 if said.get("moved_at") is None else 0

    def _token(self, request_id: str) -> str:
        """Return the access token; empty if the position is not served yet."""
        body = {"event_id": self.load_run.target.event_id, "request_id": request_id}
        answer = self._ask("token", "POST", "/generate_token", json=body)
        if answer.status_code == 200:
            return str(answer.json()["access_token"])
        if answer.status_code != 202:
            raise VisitorLeft(f"generate_token returned status {answer.status_code}")
        self._pause(2)
        return ""

    def _ask(self, name: str, method: str, url: str, **options: Any) -> Any:
        """Return a response; failed requests are repeated like on the waiting page."""
        for tries in range(MOST_TRIES):
            began = time.monotonic()
            with self.client.request(
                method, url, name=name, catch_response=True, **options
            ) as answer:
                made = Request(
                    name,
                    self.load_run.now,
                    (time.monotonic() - began) * 1000,
                    int(answer.status_code or 0),
                )
                self.load_run.record.requests.append(made)
                if made.failed:
                    answer.failure(f"status {made.status}")
                else:
                    answer.success()
            if not made.failed:
                return answer
            self._pause(retry_after(tries), RETRY_SPREAD)
        raise VisitorLeft(f"{name} failed {MOST_TRIES} times")

    def _pause(self, seconds: float, by: float | None = None) -> None:
        chance = random.random()  # nosec B311 - a simulated choice
        gevent.sleep(spread(seconds, chance) if by is None else spread(seconds, chance, by))
