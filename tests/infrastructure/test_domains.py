# SPDX-License-Identifier: Apache-2.0
"""Custom domains: host name, certificate and records; the custom address is used everywhere."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infrastructure.parameters.domains import DomainsConfig
from infrastructure.parameters.gate import GateConfig
from infrastructure.parameters.parameter import ParameterError
from tests.support.templates.synthesized import CERTIFICATE, EVERYTHING, Assembly

DISTRIBUTION = "AWS::CloudFront::Distribution"
API, PAGE = "https://api.second.example", "https://queue.second.example/"
HOSTS = {  # stack and beginning of the logical id to host names and zone
    ("Core", "Edge"): (["api.second.example"], "Z0ROOM"),
    ("Sample", "WaitingRoom"): (["queue.second.example"], "Z0ROOM"),
    ("Sample", "ControlPanel"): (["panel.second.example"], "Z0ROOM"),
    ("OpenId", "WaitingRoom"): (["login.second.example"], "Z0ROOM"),
    ("Gate", "Site"): (["www.second.example", "second.example"], "Z0SITE"),
}


def one_of(assembly: Assembly, stack: str, kind: str, start: str) -> tuple[str, dict[str, Any]]:
    """The one resource of a type whose logical id begins so, with that id."""
    (found,) = (
        (name, made)
        for name, made in assembly.stacks[stack].of_type(kind).items()
        if name.startswith(start)
    )
    return found


@pytest.mark.parametrize("where", HOSTS)
def test_each_distribution_has_its_host_names_and_certificate(
    second_room: Assembly, where: tuple[str, str]
) -> None:
    _, made = one_of(second_room, where[0], DISTRIBUTION, where[1])
    settings = made["DistributionConfig"]
    assert settings["Aliases"] == HOSTS[where][0]
    site = where == ("Gate", "Site")
    assert settings["ViewerCertificate"] == {
        "AcmCertificateArn": EVERYTHING["SiteCertificateArn"] if site else CERTIFICATE,
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }


@pytest.mark.parametrize("where", HOSTS)
def test_the_records_of_each_host_name_lead_to_its_distribution(
    second_room: Assembly, where: tuple[str, str]
) -> None:
    hosts, zone = HOSTS[where]
    name, _ = one_of(second_room, where[0], DISTRIBUTION, where[1])
    _, group = one_of(second_room, where[0], "AWS::Route53::RecordSetGroup", where[1])
    assert group["HostedZoneId"] == zone
    assert sorted((one["Name"], one["Type"]) for one in group["RecordSets"]) == sorted(
        (f"{host}.", kind) for host in hosts for kind in ("A", "AAAA")
    )
    mappings = second_room.stacks[where[0]].template["Mappings"]
    for one in group["RecordSets"]:
        assert one["AliasTarget"]["DNSName"] == {"Fn::GetAtt": [name, "DomainName"]}
        table, key, column = one["AliasTarget"]["HostedZoneId"]["Fn::FindInMap"]
        assert key == {"Ref": "AWS::Partition"}
        zones = {partition: row[column] for partition, row in mappings[table].items()}
        assert zones["aws"] == "Z2FDTNDATAQYW2"
        assert zones["aws-cn"] == "Z3RFFRIM2A3IF5"


def test_without_a_zone_there_is_no_record_and_an_output_has_the_target(
    assembly: Assembly,
) -> None:
    gate = assembly.stacks["Gate"]
    assert not gate.of_type("AWS::Route53::RecordSetGroup")
    name, _ = one_of(assembly, "Gate", DISTRIBUTION, "Site")
    outputs = gate.template["Outputs"]
    assert outputs["SiteDnsTarget"]["Value"] == {"Fn::GetAtt": [name, "DomainName"]}
    assert outputs["SiteURL"]["Value"] == "https://www.shop.example"
    assert "PublicApiDnsTarget" not in assembly.stacks["Core"].template["Outputs"]


def test_the_outputs_are_the_custom_addresses(second_room: Assembly) -> None:
    found = {
        (stack, name): second_room.stacks[stack].template["Outputs"][name]["Value"]
        for stack, name in (
            ("Core", "PublicApiInvokeURL"), ("Sample", "WaitingRoomURL"),
            ("Sample", "ControlPanelURL"), ("OpenId", "WaitingRoomURL"), ("Gate", "SiteURL"),
        )
    }  # fmt: skip
    assert list(found.values()) == [
        API, PAGE, "https://panel.second.example/", "https://login.second.example/",
        "https://www.second.example",
    ]  # fmt: skip


def test_no_other_stack_contains_the_address_of_cloudfront(second_room: Assembly) -> None:
    """The address of the public API is custom in settings, pages, headers and documents."""
    core = second_room.stacks["Core"]
    name, _ = one_of(second_room, "Core", DISTRIBUTION, "Edge")
    exported = [
        key for key, one in core.template["Outputs"].items()
        if one["Value"] == {"Fn::GetAtt": [name, "DomainName"]}
    ]  # fmt: skip
    # the export stays for stacks that were deployed before the custom domain
    assert sorted(exported) == [f"ExportsOutputFnGetAtt{name}DomainName" + exported[0][-8:],
                                "PublicApiDnsTarget"]  # fmt: skip
    for stack in second_room.stacks.values():
        text = json.dumps(stack.template)
        assert f"{name}DomainName" not in text or stack is core
    elsewhere = json.dumps(core.resources)
    assert len(re.findall(rf'"{name}", "DomainName"', elsewhere)) == 2, "its two records only"
    bodies = [
        response["ResponseTemplates"]["application/json"]
        for made in core.of_type("AWS::ApiGateway::Method").values()
        for response in made["Integration"].get("IntegrationResponses", ())
        if made["HttpMethod"] == "GET" and made["Integration"]["Type"] == "MOCK"
    ]
    (discovery,) = bodies
    assert f'"jwks_uri": "{API}/.well-known/jwks.json"' in json.dumps(discovery).replace('\\"', '"')


def test_settings_headers_and_pages_have_the_custom_address(second_room: Assembly) -> None:
    for stack, variable in (
        ("Authorizer", "PUBLIC_API_ENDPOINT"),
        ("OpenId", "PUBLIC_API_ENDPOINT"),
    ):
        given = {
            made["Environment"]["Variables"][variable]
            for made in second_room.stacks[stack].of_type("AWS::Lambda::Function").values()
            if variable in made.get("Environment", {}).get("Variables", {})
        }
        assert given == {API}
    for stack, start in (
        ("Sample", "WaitingRoom"),
        ("Sample", "ControlPanel"),
        ("OpenId", "WaitingRoom"),
    ):
        _, policy = one_of(second_room, stack, "AWS::CloudFront::ResponseHeadersPolicy", start)
        security = policy["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
        assert API in json.dumps(security["ContentSecurityPolicy"])
        _, copier = one_of(second_room, stack, "Custom::CDKBucketDeployment", start)
        digest = copier["SourceObjectKeys"][1].partition(".")[0]
        file = second_room.folder / f"asset.{digest}" / "config.json"
        assert f'"public_api":"{API}"' in file.read_text(encoding="utf-8")
    redirects = {
        made["Environment"]["Variables"]["WAITING_ROOM_URL"]
        for made in second_room.stacks["OpenId"].of_type("AWS::Lambda::Function").values()
        if "WAITING_ROOM_URL" in made.get("Environment", {}).get("Variables", {})
    }
    assert redirects == {"https://login.second.example/"}


def test_the_issuer_is_not_the_custom_address(second_room: Assembly) -> None:
    issuer = second_room.stacks["Core"].template["Outputs"]["PublicTokenIssuer"]["Value"]
    assert "execute-api" in json.dumps(issuer)


OTHER = CERTIFICATE.replace("us-east-1", "eu-central-1")


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"ApiDomain": "api.shop.example", "ApiCertificateArn": OTHER},
         "The parameter ApiCertificateArn must be the ARN of an ACM certificate in us-east-1, not"),
        ({"ApiDomain": "api.shop.example"},
         "The parameters ApiDomain and ApiCertificateArn need each other"),
        ({"ConsoleCertificateArn": CERTIFICATE},
         "ConsoleDomain and ConsoleCertificateArn need each other"),
        ({"PageDomain": "https://queue.shop.example", "PageCertificateArn": CERTIFICATE},
         "The parameter PageDomain must be a host name in lower case"),
        ({"PageDomain": ".".join(["a" * 63] * 5), "PageCertificateArn": CERTIFICATE},
         "The parameter PageDomain must be a host name in lower case"),
        ({"HostedZoneId": "Z0"}, "The parameter HostedZoneId needs a domain, such as ApiDomain"),
        ({"HostedZoneId": "zone", "ApiDomain": "a.example", "ApiCertificateArn": CERTIFICATE},
         "The parameter HostedZoneId must be the id of a Route 53 hosted zone"),
    ],
)  # fmt: skip
def test_a_domain_that_cannot_work_is_rejected_with_the_parameters_name(
    context: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        DomainsConfig.from_context(context)


def test_a_host_name_belongs_to_one_distribution() -> None:
    both = {
        "ApiDomain": "www.shop.example", "ApiCertificateArn": CERTIFICATE,
        "PageDomain": "queue.shop.example", "PageCertificateArn": CERTIFICATE,
    }  # fmt: skip
    config = DomainsConfig.from_context(both)
    config.check_distinct(["shop.example"])
    with pytest.raises(ParameterError, match=r"must not name www\.shop\.example twice"):
        config.check_distinct(["www.shop.example"])


def test_a_zone_of_the_site_needs_its_host_names() -> None:
    with pytest.raises(ParameterError, match="SiteHostedZoneId needs SiteDomains"):
        GateConfig.from_context({"SiteOrigin": "o.shop.example", "SiteHostedZoneId": "Z0"})


def test_a_page_of_your_own_has_no_custom_domain() -> None:
    context = {
        **EVERYTHING, "Stacks": "core,openid", "OpenIdPageDomain": "login.shop.example",
        "OpenIdPageCertificateArn": CERTIFICATE, "OpenIdWaitingRoomUrl": "https://w.shop.example/",
    }  # fmt: skip
    with pytest.raises(ParameterError, match="OpenIdPageDomain and OpenIdWaitingRoomUrl exclude"):
        Assembly(context)
