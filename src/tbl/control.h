/*
 * control.h - every call of the control API: the router, the authorizer's input, the audit name, and docs come from this table.
 *
 * CONTROL(name, method, path, who, permission, handler)
 *   path        {name} stands for one segment, given to the handler decoded
 *   who         ANYONE (no token), TOKEN (a bearer token whose principal has the permission), OPERATOR (a token of that role)
 *   permission  an action of tbl/actions.h; "" for none beyond the token
 *
 * The first block is the API of CoreWeave AI Object Storage, path by path; the second is ours.
 */
CONTROL(AuthCanI, POST, "/v1/cwobject/auth/can-i", TOKEN, "", api_can_i)
CONTROL(CreateAccessKeyFromJWT, POST, "/v1/cwobject/access-key", TOKEN, "cwobject:CreateAccessKey", api_key_create)
CONTROL(ListAccessKeyInfo, GET, "/v1/cwobject/access-key", TOKEN, "cwobject:ListAccessKeyInfo", api_key_list)
CONTROL(GetAccessKeyInfo, GET, "/v1/cwobject/access-key/{accessKeyId}", TOKEN, "cwobject:GetAccessKeyInfo", api_key_get)
CONTROL(UpdateAccessKeyStatus, PUT, "/v1/cwobject/access-key-status", TOKEN, "cwobject:UpdateAccessKeyStatus", api_key_status)
CONTROL(RevokeAccessKeyByAccessKey, POST, "/v1/cwobject/revoke-access-key/access-key", TOKEN, "cwobject:RevokeAccessKeyByAccessKey", api_key_revoke)
CONTROL(RevokeAccessKeysByPrincipal, POST, "/v1/cwobject/revoke-access-key/principal", TOKEN, "cwobject:RevokeAccessKeysByPrincipal", api_key_revoke_principal)
CONTROL(ListAccessPolicies, GET, "/v1/cwobject/access-policy", TOKEN, "cwobject:ListAccessPolicy", api_policy_list)
CONTROL(EnsureAccessPolicy, POST, "/v1/cwobject/access-policy", TOKEN, "cwobject:EnsureAccessPolicy", api_policy_ensure)
CONTROL(DeleteAccessPolicy, DELETE, "/v1/cwobject/access-policy/{name}", TOKEN, "cwobject:DeleteAccessPolicy", api_policy_delete)
CONTROL(ListBucketInfo, GET, "/v1/cwobject/bucket-info", TOKEN, "cwobject:ListBucketInfo", api_bucket_list)
CONTROL(GetBucketInfo, GET, "/v1/cwobject/bucket-info/{bucketName}", TOKEN, "cwobject:GetBucketInfo", api_bucket_get)
CONTROL(SetBucketSettings, PUT, "/v1/cwobject/bucket/settings", TOKEN, "cwobject:SetBucketSettings", api_bucket_settings)
CONTROL(SetOrganizationSettings, PUT, "/v1/cwobject/organization/settings", TOKEN, "cwobject:SetOrganizationSettings", api_org_settings)
CONTROL(CreateAccessKeyFromSAML, POST, "/v1/cwobject/temporary-credentials/saml", ANYONE, "", api_saml)
CONTROL(CreateAccessKeyFromOIDC, POST, "/v1/cwobject/temporary-credentials/oidc", ANYONE, "", api_oidc)
CONTROL(CreateAccessKeyFromContainerCreds, GET, "/v1/cwobject/temporary-credentials/oidc/{orgId}", ANYONE, "", api_oidc_container)
CONTROL(CreateAccessKeyFromApiToken, GET, "/v1/cwobject/temporary-credentials/api-token", TOKEN, "cwobject:CreateAccessKey", api_token_container)

CONTROL(ListOrganizations, GET, "/v1/caisson/organization", OPERATOR, "", api_org_list)
CONTROL(CreateOrganization, POST, "/v1/caisson/organization", OPERATOR, "", api_org_create)
CONTROL(GetOrganization, GET, "/v1/caisson/organization/{orgId}", TOKEN, "cwobject:GetOrganization", api_org_get)
CONTROL(DeleteOrganization, DELETE, "/v1/caisson/organization/{orgId}", OPERATOR, "", api_org_delete)
CONTROL(ListUsers, GET, "/v1/caisson/user", TOKEN, "cwobject:ListUsers", api_user_list)
CONTROL(CreateUser, POST, "/v1/caisson/user", TOKEN, "cwobject:CreateUser", api_user_create)
CONTROL(UpdateUser, PUT, "/v1/caisson/user", TOKEN, "cwobject:UpdateUser", api_user_set)
CONTROL(DeleteUser, POST, "/v1/caisson/user/delete", TOKEN, "cwobject:DeleteUser", api_user_delete)
CONTROL(ListTokens, GET, "/v1/caisson/token", TOKEN, "cwobject:ListTokens", api_token_list)
CONTROL(CreateToken, POST, "/v1/caisson/token", TOKEN, "cwobject:CreateToken", api_token_create)
CONTROL(RevokeToken, DELETE, "/v1/caisson/token/{tokenId}", TOKEN, "cwobject:RevokeToken", api_token_revoke)
CONTROL(ListOIDCConfig, GET, "/v1/caisson/oidc-config", TOKEN, "cwobject:ListOIDCConfig", api_issuer_list)
CONTROL(EnsureOIDCConfig, POST, "/v1/caisson/oidc-config", TOKEN, "cwobject:EnsureOIDCConfig", api_issuer_ensure)
CONTROL(DeleteOIDCConfig, DELETE, "/v1/caisson/oidc-config/{configId}", TOKEN, "cwobject:DeleteOIDCConfig", api_issuer_delete)
CONTROL(RotateMasterKey, POST, "/v1/caisson/master-key/rotate", OPERATOR, "", api_master_rotate)
CONTROL(ListWorkers, GET, "/v1/caisson/worker", OPERATOR, "", api_worker_list)
CONTROL(CreateBackup, POST, "/v1/caisson/backup", OPERATOR, "", api_backup_create)
CONTROL(GetBackup, GET, "/v1/caisson/backup", OPERATOR, "", api_backup_get)
