# SPDX-License-Identifier: Apache-2.0
"""A study as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deployment.capacity import operations, prices, quotas
from deployment.capacity.cost import MILLION, Bill, event_bill, options, total
from deployment.capacity.gate import ENTRIES, RENEWALS, dollars_per_million, passages
from deployment.capacity.history import audit_page_units, history_cost
from deployment.capacity.study import PERCENTILES, Study
from deployment.capacity.topology import PREDECESSOR, STANDARD
from deployment.capacity.usage import Usage
from waiting_room.domain.events.audit import PAGE


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; columns of numbers are aligned right."""
    numbers = [bool(rows) and all(_numeric(row[i]) for row in rows) for i in range(len(columns))]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join("---:" if number else "---" for number in numbers) + "|",
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
    return "\n".join(lines)


def _numeric(cell: object) -> bool:
    return str(cell).translate(str.maketrans("", "", ",.-*")).isdigit()


def tables(found: Study) -> str:
    """Return all tables of a study."""
    plan, dates = found.plan, found.dates
    parts = [
        f"Event: {plan.visitors:,} visitors in {plan.seconds:,.0f} s, curve `{plan.curve}` "
        f"(at the peak {plan.peak:,.0f} joins/s), {plan.admission_per_minute:,.0f} admitted per "
        f"minute. Prices as known on {dates['prices']}, quotas on {dates['quotas']}, operations "
        f"measured on {dates['operations']}.",
        "### Quotas and the time when the event reaches them",
        _quotas(found),
        "### Time until a visitor has a position, simulated",
        _runs(found),
        "### Requests",
        _requests(found),
        "### Cost of the event, in US dollars",
        _bills(found.events),
        "### Cost of the event by operation, in US dollars",
        operation_costs(found.by_operation, found.events, found.plan.visitors),
        "### Cost of a million at the gate of a site, in US dollars",
        _gate(),
        "### Cost of an idle month, in US dollars",
        _bills(found.idle),
        "### Price of each option, in US dollars a month",
        option_table(),
        "### Cost of the history and the audit log of one event",
        _history(),
    ]
    return "\n\n".join(parts)


def _quotas(found: Study) -> str:
    return table(
        ["quota", "limit", "peak need", "reached in", "what to raise"],
        [
            [
                one.quota,
                f"{one.limit:,.0f}",
                f"{one.needed:,.0f}",
                "never" if one.at is None else f"second {one.at}",
                one.remedy if one.hit else "",
            ]
            for one in found.findings
        ],
    )


def _runs(found: Study) -> str:
    names = [f"p{percent} s" if percent < 100 else "longest s" for percent in PERCENTILES]
    return table(
        [
            "limits raised",
            *names,
            "last at s",
            "rejected by API Gateway",
            "by Lambda",
            "unused positions",
        ],
        [
            [
                run.name,
                *(f"{value:,.1f}" for value in run.to_position),
                f"{run.last_position_at:,.0f}",
                f"{run.refused_by_api:,}",
                f"{run.refused_by_lambda:,}",
                f"{run.holes:,}",
            ]
            for run in found.runs
        ],
    )


def _requests(found: Study) -> str:
    used, visitors = found.usage, found.plan.visitors
    rows = [
        ("CloudFront requests", used.edge_requests),
        ("API Gateway requests", used.api_requests),
        ("Lambda calls", used.function_calls),
        ("Lambda GB-seconds", used.gb_seconds),
        ("SQS requests", used.queue_requests),
        ("DynamoDB write units", used.writes),
        ("DynamoDB read units", used.reads),
        ("Redis scripts", used.redis_commands),
        ("GB to browsers", used.gb),
    ]
    return table(
        ["operation", "total", "per visitor"],
        [[name, f"{count:,.0f}", f"{count / visitors:.3g}"] for name, count in rows],
    )


def operation_costs(
    used: Mapping[str, Usage], events: Mapping[str, Mapping[str, Bill]], visitors: int
) -> str:
    """Return the table of the cost of each operation, and the ratio to the AWS solution.

    At a gate, an entry replaces the token. The last two rows are for such an event.
    """
    measured, (_, _, assumed) = operations.load(), quotas.load()
    listed = [prices.load(region) for region in events]
    gate = {one.name: one for one in passages(measured)}
    million = visitors / MILLION

    def at_gate(name: str, times: float) -> list[float]:
        return [
            million * times * dollars_per_million(gate[name], measured, one, assumed)
            for one in listed
        ]

    costs = {
        name: [total(event_bill(usage, STANDARD, one)) for one in listed]
        for name, usage in used.items()
    }
    queue = [sum(column) for column in zip(*costs.values(), strict=True)]
    extra = {
        "gate: entries, in place of the tokens": at_gate(ENTRIES, 1),
        f"gate: renewals, {assumed.renewals:g} for each visitor": at_gate(
            RENEWALS, assumed.renewals
        ),
    }
    gated = [
        all_of - tokens + sum(more)
        for all_of, tokens, more in zip(
            queue, costs["tokens"], zip(*extra.values(), strict=True), strict=True
        )
    ]
    theirs = [total(events[one.region][PREDECESSOR.name]) for one in listed]

    def row(name: str, values: Iterable[float], form: str = ",.2f") -> list[str]:
        return [name, *(format(value, form) for value in values)]

    return table(
        ["operation", *(one.region for one in listed)],
        [
            *(row(name, values) for name, values in costs.items()),
            row("**total**", queue),
            *(row(name, values) for name, values in extra.items()),
            row("total with a gate", gated),
            row(PREDECESSOR.name, theirs),
            row(
                "AWS solution / this room",
                (a / b for a, b in zip(theirs, queue, strict=True)),
                ".1f",
            ),
            row(
                "AWS solution, without a gate / this room with a gate",
                (a / b for a, b in zip(theirs, gated, strict=True)),
                ".1f",
            ),
        ],
    )


def _bills(bills: dict[str, dict[str, Bill]]) -> str:
    region_of = [(region, name) for region, named in bills.items() for name in named]
    services = list(next(iter(next(iter(bills.values())).values())))
    rows: list[list[object]] = [
        [service, *(f"{bills[region][name][service]:,.2f}" for region, name in region_of)]
        for service in services
        if any(bills[region][name][service] >= 0.005 for region, name in region_of)
    ]
    rows.append(
        ["**total**", *(f"**{total(bills[region][name]):,.2f}**" for region, name in region_of)]
    )
    return table(["service", *(f"{name}, {region}" for region, name in region_of)], rows)


def option_table() -> str:
    """Return the table of options, which the idle month contains only where a profile has them."""
    listed = [prices.load(region) for region in prices.regions()]
    columns = [options(one) for one in listed]
    return table(
        ["option", "turned on by", *(one.region for one in listed)],
        [
            [name, how, *(f"{column[index][2]:,.2f}" for column in columns)]
            for index, (name, how, _) in enumerate(columns[0])
        ],
    )


def idle_table(bills: Mapping[str, Bill]) -> str:
    """Return the table of idle months of one region, by topology."""
    return _bills({"": dict(bills)})


def _history() -> str:
    cost, regions = history_cost(), prices.regions()
    audit = audit_page_units()
    dollars = {region: cost.dollars(prices.load(region), audit) for region in regions}
    rows = [
        ("writes of 30 days, one per minute", "writes", f"{cost.writes:,} write units"),
        ("waits of 30 days, if visitors are admitted in each minute", "waits",
         f"{cost.waits:,.0f} read units"),
        (f"storage of 30 days, {cost.item} bytes per minute", "stored",
         f"{cost.stored / 1e6:,.1f} MB"),
        ("one read of 24 hours", "day", f"{cost.day:,.1f} read units"),
        ("one read of 30 days", "month", f"{cost.month:,.1f} read units"),
        (f"one page of the audit log, {PAGE} entries, at most", "audit", f"{audit} read units"),
    ]  # fmt: skip
    return table(
        ["part", "amount", *(f"US dollars, {region}" for region in regions)],
        [
            [label, amount, *(f"{dollars[region][name]:.6f}" for region in regions)]
            for label, name, amount in rows
        ],
    )


def _gate() -> str:
    measured, (_, _, assumed) = operations.load(), quotas.load()
    regions = [prices.load(region) for region in prices.regions()]
    rows = [
        [
            one.name,
            one.edge_requests,
            one.functions,
            one.reads,
            one.api_requests,
            f"{one.operation.write_units if one.operation else 0:.2f}",
            f"{one.operation.read_units if one.operation else 0:.2f}",
            *(f"{dollars_per_million(one, measured, listed, assumed):.2f}" for listed in regions),
        ]
        for one in passages(measured)
    ]
    return table(
        [
            "a million",
            "CloudFront requests, each",
            "function runs",
            "store reads",
            "API requests",
            "write units",
            "read units",
            *(f"US dollars, {listed.region}" for listed in regions),
        ],
        rows,
    )
