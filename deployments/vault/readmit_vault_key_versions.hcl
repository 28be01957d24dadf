path "transit/keys/+"        { capabilities = ["read"] }
path "transit/keys/+/config" { capabilities = ["update"] }
