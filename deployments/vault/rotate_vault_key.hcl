path "transit/keys/+"        { capabilities = ["read"] }
path "transit/keys/+/rotate" { capabilities = ["update"] }
# The proof: a canary goes in and comes out again.
path "transit/encrypt/+"     { capabilities = ["update"] }
path "transit/decrypt/+"     { capabilities = ["update"] }
