# The inventory. It reads public names only: no value of a secret, no lease's credential.
path "sys/mounts"                           { capabilities = ["read"] }
path "sys/auth"                             { capabilities = ["read"] }
path "auth/token/accessors/"                { capabilities = ["list", "sudo"] }
path "auth/token/lookup-accessor"           { capabilities = ["update"] }
path "sys/leases/lookup/*"                  { capabilities = ["list", "sudo"] }
# One block for each mount of yours.
path "auth/approle/role/"                   { capabilities = ["list"] }
path "auth/approle/role/+/secret-id/"       { capabilities = ["list"] }
path "secret/metadata/*"                    { capabilities = ["list", "read"] }
path "transit/keys/"                        { capabilities = ["list"] }
path "transit/keys/+"                       { capabilities = ["read"] }
path "database/config/"                     { capabilities = ["list"] }
path "database/config/+"                    { capabilities = ["read"] }
