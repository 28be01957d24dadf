path "transit/keys/+"        { capabilities = ["read"] }
path "transit/keys/+/config" { capabilities = ["update"] }
# The proof: a canary of the old version is refused.
path "transit/encrypt/+"     { capabilities = ["update"] }
path "transit/decrypt/+"     { capabilities = ["update"] }
