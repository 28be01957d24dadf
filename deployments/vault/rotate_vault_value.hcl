# Secrets whose value may be any random text, such as keys that sign sessions.
path "secret/data/shop/*"     { capabilities = ["read", "update"] }
path "secret/metadata/shop/*" { capabilities = ["read"] }
