"""Who may call what of the control API: every call by every kind of caller, against a table that is not read from the program."""
import re
import time

import pytest

from api import Api
from store import TOP, Store

POLICY = {"policy": {"version": "v1alpha1", "name": "made", "statements": [
    {"name": "s", "effect": "Allow", "actions": ["s3:GetObject"], "resources": ["none"], "principals": ["role/none"]}]}}
NONE, BAD, DONE = (404, 5), (400, 3), (200, None)

# call: (method, path, body, permission, what a caller who may is answered)
V1, OURS = "/v1/cwobject", "/v1/caisson"
SPEC = {
    "AuthCanI": ("POST", V1 + "/auth/can-i", {"actions": ["s3:GetObject"]}, "", DONE),
    "CreateAccessKeyFromJWT": ("POST", V1 + "/access-key", {"durationSeconds": 60}, "CreateAccessKey", DONE),
    "ListAccessKeyInfo": ("GET", V1 + "/access-key", None, "ListAccessKeyInfo", DONE),
    "GetAccessKeyInfo": ("GET", V1 + "/access-key/CWNONE", None, "GetAccessKeyInfo", NONE),
    "UpdateAccessKeyStatus": ("PUT", V1 + "/access-key-status", {"principalName": "role/none", "status": "SUSPENDED"}, "UpdateAccessKeyStatus", NONE),
    "RevokeAccessKeyByAccessKey": ("POST", V1 + "/revoke-access-key/access-key", {"accessKey": "CWNONE"}, "RevokeAccessKeyByAccessKey", NONE),
    "RevokeAccessKeysByPrincipal": ("POST", V1 + "/revoke-access-key/principal", {"principalName": "role/none"}, "RevokeAccessKeysByPrincipal", DONE),
    "ListAccessPolicies": ("GET", V1 + "/access-policy", None, "ListAccessPolicy", DONE),
    "EnsureAccessPolicy": ("POST", V1 + "/access-policy", POLICY, "EnsureAccessPolicy", DONE),
    "DeleteAccessPolicy": ("DELETE", V1 + "/access-policy/none", None, "DeleteAccessPolicy", NONE),
    "ListBucketInfo": ("GET", V1 + "/bucket-info", None, "ListBucketInfo", DONE),
    "GetBucketInfo": ("GET", V1 + "/bucket-info/none", None, "GetBucketInfo", NONE),
    "SetBucketSettings": ("PUT", V1 + "/bucket/settings", {"bucketName": "none", "settings": {}}, "SetBucketSettings", NONE),
    "SetOrganizationSettings": ("PUT", V1 + "/organization/settings", {"settings": {}}, "SetOrganizationSettings", DONE),
    "CreateAccessKeyFromSAML": ("POST", V1 + "/temporary-credentials/saml", {"orgId": "abcdef"}, "anyone", (501, 12)),
    "CreateAccessKeyFromOIDC": ("POST", V1 + "/temporary-credentials/oidc", {"orgId": "abcdef"}, "anyone", BAD),
    "CreateAccessKeyFromContainerCreds": ("GET", V1 + "/temporary-credentials/oidc/abcdef", None, "anyone", (401, 16)),
    "CreateAccessKeyFromApiToken": ("GET", V1 + "/temporary-credentials/api-token", None, "CreateAccessKey", DONE),
    "ListOrganizations": ("GET", OURS + "/organization", None, "operator", DONE),
    "CreateOrganization": ("POST", OURS + "/organization", {}, "operator", BAD),
    "GetOrganization": ("GET", OURS + "/organization/abcdeg", None, "GetOrganization", NONE),
    "DeleteOrganization": ("DELETE", OURS + "/organization/abcdeg", None, "operator", NONE),
    "ListUsers": ("GET", OURS + "/user", None, "ListUsers", DONE),
    "CreateUser": ("POST", OURS + "/user", {"name": "x"}, "CreateUser", DONE),
    "UpdateUser": ("PUT", OURS + "/user", {"principalName": "coreweave/none"}, "UpdateUser", NONE),
    "DeleteUser": ("POST", OURS + "/user/delete", {"principalName": "coreweave/none"}, "DeleteUser", NONE),
    "ListTokens": ("GET", OURS + "/token", None, "ListTokens", DONE),
    "CreateToken": ("POST", OURS + "/token", {"principalName": "coreweave/none"}, "CreateToken", NONE),
    "RevokeToken": ("DELETE", OURS + "/token/none", None, "RevokeToken", NONE),
    "ListOIDCConfig": ("GET", OURS + "/oidc-config", None, "ListOIDCConfig", DONE),
    "EnsureOIDCConfig": ("POST", OURS + "/oidc-config", {"issuerUrl": "https://issuer.example", "clientId": "c"}, "EnsureOIDCConfig", DONE),
    "DeleteOIDCConfig": ("DELETE", OURS + "/oidc-config/none", None, "DeleteOIDCConfig", NONE),
    "CreateBackup": ("POST", OURS + "/backup", {"directory": "relative"}, "operator", BAD),
    "GetBackup": ("GET", OURS + "/backup", None, "operator", DONE),
    "ListJobs": ("GET", OURS + "/job", None, "operator", DONE),
    "GetJob": ("GET", OURS + "/job/none", None, "operator", NONE),
    "RunJob": ("POST", OURS + "/job/none/run", None, "operator", NONE),
    "ListWorkers": ("GET", OURS + "/worker", None, "operator", DONE),
    "RotateMasterKey": ("POST", OURS + "/master-key/rotate", None, "operator", DONE),
}
ACTIONS = sorted({permission for _, _, _, permission, _ in SPEC.values()} - {"", "anyone", "operator"})


class World:
    def __init__(self, store):
        self.store = store
        self.operator = Api(store)
        self.org = self.operator.call("POST", "/v1/caisson/organization", {"name": "ours"})["organization"]["orgId"]
        mine = {"params": {"org": self.org}}
        self.admin = self.operator.user("admin", "admin", **mine)[1]
        self.principal, self.user = self.admin.user("user")
        self.gone_principal, self.gone = self.admin.user("gone")
        self.admin.call("POST", "/v1/caisson/user/delete", {"principalName": self.gone_principal})
        made = self.admin.call("POST", "/v1/caisson/token", {"principalName": self.principal, "durationSeconds": 1})
        self.expired = Api(store, made["token"])
        time.sleep(1.1)

    def allow(self, *actions):
        self.admin.policy("user", [self.principal], [f"cwobject:{a}" for a in actions] or ["s3:GetObject"])


@pytest.fixture(scope="module")
def world(build):
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory")
    yield World(store)
    store.close()


def test_every_call_has_a_row():
    with open(TOP + "/src/tbl/control.h") as table:
        assert set(re.findall(r"^CONTROL\((\w+),", table.read(), re.M)) == set(SPEC)


@pytest.mark.parametrize("name", SPEC)
def test_row(world, name):
    method, path, body, permission, passes = SPEC[name]
    refused, unknown, wrong = (403, 7), (401, 16), []

    def cell(column, want, caller, **more):
        answer = caller.raw(method, path, body, **more)
        got = answer.status_code, None if answer.status_code == 200 else answer.json()["code"]
        if got != want:
            wrong.append(f"{column}: want {want}, got {got} {answer.text[:100]}")

    needs_token = permission != "anyone"
    for column, caller in (("a token that ended", world.expired), ("a token of nobody", world.gone),
                           ("a token that is none", Api(world.store, world.user.token[:-1] + "-"))):
        cell(column, unknown if needs_token else passes, caller)
    cell("no token", unknown if needs_token else passes, world.user, headers={"Authorization": ""})
    world.allow()
    cell("a user without rights", passes if permission in ("", "anyone") else refused, world.user)
    world.allow(*[a for a in ACTIONS if a != permission])
    cell("a user with all other rights", passes if permission in ("", "anyone") else refused, world.user)
    if permission in ACTIONS:
        world.allow(permission)
        cell("a user with this right", passes, world.user)
    cell("an admin", refused if permission == "operator" else passes, world.admin)
    cell("an operator", passes, world.operator)
    if needs_token:
        cell("an admin, of another organization", refused, world.admin, params={"org": "abcdef"})
    assert not wrong, f"{name}:\n" + "\n".join(wrong)


def test_can_i(world):
    """Every action and every resource must be allowed; what can be asked is told apart from what cannot."""
    def can(actions, resources=None, caller=world.user):
        body = {"actions": actions} if resources is None else {"actions": actions, "resources": resources}
        return caller.call("POST", "/v1/cwobject/auth/can-i", body)["allowed"]
    world.admin.policy("user", [world.principal], ["s3:GetObject", "s3:PutObject"], ["b/*"])
    assert can(["s3:GetObject", "s3:PutObject"], ["b/1", "b/2"])
    assert not can(["s3:GetObject", "s3:DeleteObject"], ["b/1"]) and not can(["s3:GetObject"], ["b/1", "c/1"]) and not can(["s3:GetObject"])
    assert not can(["cwobject:ListUsers"]) and can(["cwobject:ListUsers"], caller=world.admin) and not can(["s3:GetObject"], caller=world.admin)
    world.admin.policy("user", [world.principal], ["cwobject:ListUsers", "s3:ListAllMyBuckets"])
    assert can(["cwobject:ListUsers"]) and can(["s3:ListAllMyBuckets"]) and not can(["s3:GetObject"], ["b/1"])
    for body in ({}, {"actions": []}, {"actions": ["s3:Nothing"]}, {"actions": "s3:GetObject"}, {"actions": ["s3:GetObject"], "resources": [1]}):
        world.user.fails("POST", "/v1/cwobject/auth/can-i", 400, 3, body)
