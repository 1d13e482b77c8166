"""Calls of the control API, for tests."""
import requests


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
