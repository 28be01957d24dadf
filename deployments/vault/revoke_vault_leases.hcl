path "sys/leases/lookup/*" { capabilities = ["list", "sudo"] }
path "sys/leases/count"    { capabilities = ["read"] }
# One rule for each prefix that protocol.yaml lists; never "sys/leases/revoke-prefix/*".
path "sys/leases/revoke-prefix/database/creds/+" { capabilities = ["update", "sudo"] }
path "sys/leases/revoke-prefix/auth/approle"     { capabilities = ["update", "sudo"] }
