path "auth/approle/role/+"                            { capabilities = ["read"] }
path "auth/approle/role/+/role-id"                    { capabilities = ["read"] }
path "auth/approle/role/+/secret-id"                  { capabilities = ["update"] }
path "auth/approle/role/+/secret-id/"                 { capabilities = ["list"] }
path "auth/approle/role/+/secret-id-accessor/lookup"  { capabilities = ["update"] }
path "auth/approle/role/+/secret-id-accessor/destroy" { capabilities = ["update"] }
# Where the secret ids are kept.
path "secret/data/approle/*"     { capabilities = ["read", "create", "update"] }
path "secret/metadata/approle/*" { capabilities = ["read"] }
path "secret/destroy/approle/*"  { capabilities = ["update"] }
