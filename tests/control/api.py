"""Calls of the control API, for tests."""
import time

import requests


def until_it_ends(make, use, over):
    """A key or token that lasts some seconds: use() passes while it lasts, over() says if it is refused as ended. However slow we are."""
    for seconds in (2, 8, 32):
        begin = time.monotonic()
        made = make(seconds)
        if not over(made):
            use(made)
            break
        assert time.monotonic() - begin >= seconds, "it ended too early"
    deadline = begin + seconds + 30
    while not over(made):
        assert time.monotonic() < deadline, "it has not ended"
        time.sleep(0.1)
    assert time.monotonic() - begin >= seconds, "it ended too early"


class Api:
    def __init__(self, store, token=None):
        self.store, self.token = store, token or store.token

    def raw(self, method, path, body=None, headers=None, **more):
        headers = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return requests.request(method, self.store.control + path, json=body, headers=headers, timeout=30, **more)

    def call(self, method, path, body=None, **more):
        """The JSON of an answer that must be 200."""
        answer = self.raw(method, path, body, **more)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def fails(self, method, path, status, code, body=None, **more):
        """The message of an answer that must be this error."""
        answer = self.raw(method, path, body, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        assert answer.json()["code"] == code and answer.json()["details"] == [], answer.text
        return answer.json()["message"]

    def policy(self, name, principals, actions, resources=("*",), effect="Allow", **more):
        return self.call("POST", "/v1/cwobject/access-policy", {"policy": {
            "version": "v1alpha1", "name": name, "statements": [
                {"name": "s", "effect": effect, "actions": list(actions), "resources": list(resources),
                 "principals": list(principals)}]}}, **more)

    def user(self, name, role="user", **more):
        """A user with a token: (principal, Api)."""
        user = self.call("POST", "/v1/caisson/user", {"name": name, "role": role}, **more)["user"]
        token = self.call("POST", "/v1/caisson/token", {"principalName": user["principalName"]}, **more)["token"]
        return user["principalName"], Api(self.store, token)
