/*
 * cli.h - commands that are one call of the control API each.
 *
 * CLI(group, verb, method, path, arguments, list, columns, what it does, example)
 *   arguments  words: "member" is positional and must be given; "--flag:member" is optional. A member may be a {segment} of the path,
 *              "a.b" a member of a member, "?q" a parameter of the query. What is behind it says the kind: "#" a number, "!" true or false,
 *              "=" name=value, may be repeated, "+" a word, may be repeated; "@" a file that is the whole body; nothing: a text.
 *   list       member of the answer that holds the rows, or the one object, to show; "" the answer itself
 *   columns    members to show
 */
CLI("org", "list", "GET", "/v1/caisson/organization", "", "organizations", "orgId name creationTime",
    "List organizations (operators).", "caisson org list")
CLI("org", "create", "POST", "/v1/caisson/organization", "name", "organization", "orgId name creationTime",
    "Make an organization (operators).", "caisson org create research")
CLI("org", "show", "GET", "/v1/caisson/organization/{orgId}", "orgId", "organization", "orgId name creationTime settings",
    "Show one.", "caisson org show ab1cd2")
CLI("org", "delete", "DELETE", "/v1/caisson/organization/{orgId}", "orgId", "", "",
    "Delete one that owns no buckets, with its users, tokens, keys and policies (operators).", "caisson org delete ab1cd2")
CLI("org", "set", "PUT", "/v1/cwobject/organization/settings",
    "--control-audit:settings.controlPlaneAuditLoggingEnabled! --bucket-audit:settings.bucketAuditLoggingEnabled! "
    "--cap:settings.capacityCapBytes# --org:?org", "", "",
    "Switch audit logs of an organization on or off; cap the bytes of all its buckets together (operators; 0: none).",
    "caisson org set --bucket-audit true")

CLI("user", "list", "GET", "/v1/caisson/user", "--org:?org", "users", "principalName name role groups",
    "List users.", "caisson user list")
CLI("user", "create", "POST", "/v1/caisson/user", "name --role:role --group:groups+ --org:?org", "user", "principalName name role groups",
    "Make a user; role: user, admin or operator.", "caisson user create alice --role admin --group training")
CLI("user", "set", "PUT", "/v1/caisson/user", "principalName --name:name --role:role --group:groups+ --org:?org", "user",
    "principalName name role groups", "Change name, role or groups.", "caisson user set coreweave/u1 --role user")
CLI("user", "delete", "POST", "/v1/caisson/user/delete", "principalName --org:?org", "", "",
    "Delete a user, with its tokens and keys.", "caisson user delete coreweave/u1")

CLI("token", "list", "GET", "/v1/caisson/token", "--org:?org", "tokens", "tokenId principalName name expiry",
    "List tokens of the control API.", "caisson token list")
CLI("token", "create", "POST", "/v1/caisson/token", "principalName --name:name --duration:durationSeconds# --org:?org", "",
    "token info", "Make a token; it is shown this once.", "caisson token create coreweave/u1 --name laptop --duration 86400")
CLI("token", "revoke", "DELETE", "/v1/caisson/token/{tokenId}", "tokenId --org:?org", "", "",
    "End a token.", "caisson token revoke 3f2a")

CLI("key", "list", "GET", "/v1/cwobject/access-key", "--offset:?offset --limit:?limit --org:?org", "info",
    "accessKeyId status principalName expiry", "List access keys.", "caisson key list")
CLI("key", "create", "POST", "/v1/cwobject/access-key",
    "--duration:durationSeconds# --principal:principalName --attribute:attributes= --org:?org", "",
    "accessKeyId secretKey principalName expiry", "Make an access key for --duration seconds, 0: permanent; the secret is shown this once.",
    "caisson key create --duration 3600 --attribute team=vision")
CLI("key", "show", "GET", "/v1/cwobject/access-key/{accessKeyId}", "accessKeyId --org:?org", "info",
    "accessKeyId status principalName expiry orgId attributes", "Show one, without its secret.", "caisson key show CWABCDEFGHIJKLMN")
CLI("key", "status", "PUT", "/v1/cwobject/access-key-status", "principalName status --org:?org", "", "",
    "Suspend or reactivate all keys of a principal: ACTIVE or SUSPENDED.", "caisson key status coreweave/u1 SUSPENDED")
CLI("key", "revoke", "POST", "/v1/cwobject/revoke-access-key/access-key", "accessKey --org:?org", "", "",
    "End a key.", "caisson key revoke CWABCDEFGHIJKLMN")
CLI("key", "revoke-principal", "POST", "/v1/cwobject/revoke-access-key/principal", "principalName --org:?org", "", "",
    "End all keys of a principal.", "caisson key revoke-principal coreweave/u1")

CLI("policy", "list", "GET", "/v1/cwobject/access-policy", "--org:?org", "policies", "name version statements",
    "List organization policies.", "caisson policy list --json")
CLI("policy", "ensure", "POST", "/v1/cwobject/access-policy", "file@ --org:?org", "", "",
    "Make or replace a policy from a JSON file.", "caisson policy ensure readers.json")
CLI("policy", "delete", "DELETE", "/v1/cwobject/access-policy/{name}", "name --org:?org", "", "",
    "Delete a policy.", "caisson policy delete readers")
CLI("policy", "can-i", "POST", "/v1/cwobject/auth/can-i", "actions+ --resource:resources+", "", "allowed",
    "May the holder of the token do this?", "caisson policy can-i s3:GetObject --resource models/*")

CLI("bucket", "list", "GET", "/v1/cwobject/bucket-info", "--offset:?offset --limit:?limit --org:?org", "info",
    "name location creationTime usage", "List buckets.", "caisson bucket list")
CLI("bucket", "show", "GET", "/v1/cwobject/bucket-info/{bucketName}", "bucketName --org:?org", "info",
    "name orgId location creationTime settings usage", "Show one.", "caisson bucket show models")
CLI("bucket", "set", "PUT", "/v1/cwobject/bucket/settings",
    "bucketName --audit:settings.auditLoggingEnabled! --cap:settings.capacityCapBytes# --org:?org", "settings",
    "auditLoggingEnabled capacityCapBytes", "Set the audit log and the capacity cap in bytes (0: none).",
    "caisson bucket set models --cap 1099511627776")

CLI("oidc", "list", "GET", "/v1/caisson/oidc-config", "--org:?org", "configs", "configId issuerUrl clientId name",
    "List identity providers.", "caisson oidc list")
CLI("oidc", "ensure", "POST", "/v1/caisson/oidc-config",
    "issuerUrl clientId --name:name --description:description --org:?org", "config", "configId issuerUrl clientId name",
    "Trust an identity provider for tokens with this audience.", "caisson oidc ensure https://token.example.com caisson")
CLI("oidc", "delete", "DELETE", "/v1/caisson/oidc-config/{configId}", "configId --org:?org", "", "",
    "Trust it no longer.", "caisson oidc delete 3f2a")

CLI("master-key", "rotate", "POST", "/v1/caisson/master-key/rotate", "", "", "",
    "Replace the master key; every secret is encrypted anew, no access key changes (operators).", "caisson master-key rotate")

CLI("worker", "list", "GET", "/v1/caisson/worker", "", "workers", "number state busyMs class request",
    "List what every worker does now (operators); SIGUSR1 writes the same to the log.", "caisson worker list")

CLI("job", "list", "GET", "/v1/caisson/job", "", "jobs", "name running passes unit seen done failed findings passEnded",
    "List background jobs and what they have done since the start (operators).", "caisson job list")
CLI("job", "show", "GET", "/v1/caisson/job/{name}", "name --offset:?offset", "job",
    "name running percent passes unit passSeen passFailed seen done bytes failed findings backlog passBegan passEnded",
    "Show one.", "caisson job show scrub")
CLI("job", "run", "POST", "/v1/caisson/job/{name}/run", "name", "", "ticket",
    "Make a pass now, or another one when the present one ends, and wait for its end. Exit status 1: it found damage, or failed.",
    "caisson job run lifecycle")
CLI("job", "start", "POST", "/v1/caisson/job/{name}/run", "name", "", "ticket",
    "The same without waiting.", "caisson job start lifecycle")
